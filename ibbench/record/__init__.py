"""A study on disk: the only room that knows the names of its files."""
