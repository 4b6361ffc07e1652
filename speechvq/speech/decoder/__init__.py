"""Waveform decoder: a WaveNet over mu-law bins, and its likelihood."""
