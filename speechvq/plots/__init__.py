"""Figures of training runs, sentences, units and generated speech, each saved as one PNG."""
