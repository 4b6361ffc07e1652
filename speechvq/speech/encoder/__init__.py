"""Waveform encoder: one vector per code frame."""
