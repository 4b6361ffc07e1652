"""Colors of codes, spectrograms and code cells."""

import numpy as np
from matplotlib.figure import Figure

from speechvq.plots.panels import code_colors, log_spectrogram, plot_code_cells, plot_spectrogram


def test_all_codes_have_different_colors() -> None:
    colors = code_colors(np.arange(512), 512)
    assert colors.shape == (512, 3) and len(np.unique((colors * 255).round(), axis=0)) == 512
    assert np.abs(np.diff(colors, axis=0)).max(axis=1).min() > 0.1  # neighboring indices are distinct
    assert colors.max(axis=1).min() >= 0.75  # light enough for dark text


def test_the_spectrogram_of_a_sine_peaks_at_its_frequency() -> None:
    wave = np.sin(2 * np.pi * 1000 * np.arange(8000) / 16_000).astype(np.float32)
    decibels = log_spectrogram(wave)
    assert decibels.shape == (257, 201) and abs(decibels.max()) < 1e-4 and decibels.min() >= -65.001
    assert (decibels[:, 50:150].argmax(axis=0) == 32).all()  # 1000 Hz in bins of 31.25 Hz
    axes = Figure().subplots()
    plot_spectrogram(axes, wave, 0.25)
    (image,) = axes.images
    assert image.get_extent() == [0, 101 * 40 / 16_000, 0, 8000] and axes.get_xlim() == (0, 0.25)


def test_code_cells_span_their_time() -> None:
    axes = Figure().subplots()
    plot_code_cells(axes, np.array([3, 1, 3]), 8, 50.0)
    (image,) = axes.images
    assert np.array_equal(image.get_array(), code_colors(np.array([3, 1, 3]), 8)[None])
    assert image.get_extent() == [0, 0.06, 0, 1]
    plot_code_cells(axes, np.array([], int), 8, 50.0)
    assert len(axes.images) == 1
