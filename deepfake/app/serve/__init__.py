"""serve: what a detector says, over HTTP."""
