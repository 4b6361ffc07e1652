"""Harmonics and an all-pole filter, predicted from the codes."""
