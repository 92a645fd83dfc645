"""log: what was said of which video, by which detector and when; each row is chained to the one before by hash."""
