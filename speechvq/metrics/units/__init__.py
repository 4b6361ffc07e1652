"""Metrics of discrete units, whatever made them."""
