"""Discrete codes from raw speech, spoken again in any voice (van den Oord et al. 2017, arXiv 1711.00937).

Letters of shapes, used in every docstring:
    B batch, T samples, N code frames, C channels, D code width, K codebook size, S speakers.
"""

__version__ = "0.1.0"
