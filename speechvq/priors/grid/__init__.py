"""Autoregressive priors over grids of codes: gated PixelCNN (van den Oord et al. 2016)."""
