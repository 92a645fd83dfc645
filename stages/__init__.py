"""stages: one door a DVC stage: read paths, call the verb, write paths."""
