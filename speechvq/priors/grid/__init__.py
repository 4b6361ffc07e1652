"""Autoregressive priors over two-dimensional grids of codes."""
