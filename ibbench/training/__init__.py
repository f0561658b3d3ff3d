"""Training many replicas of a model at once."""
