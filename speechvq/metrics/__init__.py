"""Metrics: arrays in, numbers out; no network is needed."""
