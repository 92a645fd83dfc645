"""service: videos of strangers, for page and HTTP: bounded, looked at before they are decoded, judged, removed."""
