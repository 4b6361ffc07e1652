"""Corpora on disk: manifests, splits, code and feature directories, and crops of them for training."""
