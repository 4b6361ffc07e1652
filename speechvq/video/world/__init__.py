"""Worlds to act in: a built-in maze and ViZDoom."""
