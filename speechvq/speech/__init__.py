"""The speech model: encoder, WaveNet decoder, source-filter model, sampling and speakers."""
