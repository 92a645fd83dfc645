"""player: what stands between a file and the picture that a player shows of it."""
