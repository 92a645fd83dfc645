"""encoders: frames to features. A file here is an encoder; its name is its name in params.yaml."""
