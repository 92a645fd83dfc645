"""page: what a detector says, in a browser."""
