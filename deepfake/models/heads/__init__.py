"""heads: features of a sequence of frames to one. A file here is a head; its name is its name in params.yaml."""
