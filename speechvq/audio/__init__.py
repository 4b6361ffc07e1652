"""Sound in and out, no learning: waveforms, manifests, corpora, crops, alignments."""
