"""Image data sets, the paper's image encoder and decoder, and the models built from them."""
