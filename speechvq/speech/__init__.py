"""The paper's speech model: strided-convolution encoder, jitter, WaveNet decoder, cached sampling."""
