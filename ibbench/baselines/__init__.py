"""Predictors that are not models."""
