"""Autoregressive priors over strings of codes."""
