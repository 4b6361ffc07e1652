"""Autoregressive priors over sequences of codes."""
