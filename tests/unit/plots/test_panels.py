"""Codes as colours."""

import numpy as np

from speechvq.plots.panels import code_colors


def test_every_code_has_a_colour_of_its_own() -> None:
    colours = code_colors(np.arange(512), 512)
    assert colours.shape == (512, 3) and len(np.unique((colours * 255).round(), axis=0)) == 512
    assert np.abs(np.diff(colours, axis=0)).max(axis=1).min() > 0.1  # neighbours are told apart
    assert colours.max(axis=1).min() >= 0.75  # light enough for dark figures
