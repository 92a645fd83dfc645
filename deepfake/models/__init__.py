"""models: encoders of frames, temporal heads over their features, and the network that joins them."""
