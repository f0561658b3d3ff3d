"""A study on disk: the only room that knows the names of a study's files."""
