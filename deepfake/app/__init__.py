"""app: the doors of a trained detector: command line, page in the browser, HTTP."""
