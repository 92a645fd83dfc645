"""measures: figures of scores, with their intervals."""
