"""dataset: how a collection of videos lies on disk, and which of its files are what."""
