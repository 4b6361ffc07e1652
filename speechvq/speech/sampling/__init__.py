"""Sampling waveforms from the decoder, sample by sample, with the fastest engine of the machine."""
