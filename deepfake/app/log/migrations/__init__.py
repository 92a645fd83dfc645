"""migrations: how the tables of the log came to be what they are; a file of versions/ each step."""
