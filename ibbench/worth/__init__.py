"""What an assumption is worth: learning curves, what they save, and the ladder of assumptions."""
