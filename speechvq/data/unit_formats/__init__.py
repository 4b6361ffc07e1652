"""Formats of units besides `.npy`: shards of many utterances, as Parquet or as text for language models."""
