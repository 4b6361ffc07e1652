"""Metrics that need a trained network: recognizers, speech quality, speaker embeddings, probes."""
