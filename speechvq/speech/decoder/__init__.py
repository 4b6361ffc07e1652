"""Codes and a speaker to a distribution over the waveform: a WaveNet (van den Oord et al. 2016)."""
