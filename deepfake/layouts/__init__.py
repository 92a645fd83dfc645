"""layouts: how a dataset lies on disk. A file here is a layout; its name is its name in params.yaml."""
