"""Recorded episodes: on disk, as windows for training, and as codes."""
