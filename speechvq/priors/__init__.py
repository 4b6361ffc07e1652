"""Autoregressive priors over discrete codes: one-dimensional sequences and two-dimensional grids."""
