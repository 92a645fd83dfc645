"""predict: the command that asks detectors about videos, and in which forms they answer."""
