"""drawing: the talking heads of the demo: who they are, how they move, how they are painted."""
