"""Frames in time: a world to act in, its recordings, and windows of them for training."""
