"""Drawing waveforms from the decoder, sample by sample, by the fastest engine of the machine."""
