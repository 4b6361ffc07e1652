"""Speakers that were not in the training data."""
