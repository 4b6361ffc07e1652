"""Figures of runs, sentences, units and generated speech, each as one PNG."""
