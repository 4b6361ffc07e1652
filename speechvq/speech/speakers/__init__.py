"""Voices that were not in training."""
