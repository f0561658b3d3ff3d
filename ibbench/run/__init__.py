"""One run: planned, trained and measured; and predictions by trained runs."""
