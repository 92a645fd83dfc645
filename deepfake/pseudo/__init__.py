"""pseudo: fakes that are made while learning, of real faces alone."""
