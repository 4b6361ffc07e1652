"""Waveform decoder: a WaveNet over mu-law classes, and its likelihood."""
