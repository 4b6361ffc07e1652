"""Phones in time: reading and writing alignments, making them, and what they need of language."""
