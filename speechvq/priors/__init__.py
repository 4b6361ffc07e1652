"""Autoregressive priors over codes, whatever made the codes: they see whole numbers and nothing else."""
