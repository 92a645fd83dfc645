"""app: the doors of a trained detector: the command line now, the page later."""
