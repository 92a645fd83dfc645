"""detectors: who finds faces in an image. A file here is a detector; its name is its name in params.yaml."""
