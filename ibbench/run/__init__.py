"""One run: planned, trained, measured."""
