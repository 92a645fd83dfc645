"""case: what is filed about a video: its file, its credentials, a detector's opinion, and how anyone repeats it."""
