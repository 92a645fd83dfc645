"""base: what every part stands on; imports nothing of ours from above it."""
