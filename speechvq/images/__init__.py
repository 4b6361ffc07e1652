"""Pictures: data sets, the paper's encoder and decoder, and the models between them."""
