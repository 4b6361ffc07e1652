"""Quality of reconstructed images, and classic codecs to compare with."""
