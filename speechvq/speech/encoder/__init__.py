"""Waveform to one vector a code frame."""
