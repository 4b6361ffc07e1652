"""What several pictures share: the spectrogram, codes as colours, titles, and how a PNG is saved."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.io.atomic import atomic_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PIXELS, DPI = 1600, 100
TOP = 6000  # Hz, of the spectrograms
INK, FAINT = "#1b2733", "#8a96a3"

_STFT_HOP = 40  # samples; smooth at this width
_DECIBELS = 65  # between the darkest and the brightest colour


def code_colors(codes: np.ndarray, num_codes: int) -> np.ndarray:
    """A colour for each code, far from that of its neighbours in number: (N,) to (N, 3), RGB in [0, 1]."""
    from matplotlib.colors import hsv_to_rgb

    spread = (
        np.arange(num_codes)[:, None] * (0.8191725134, 0.6710436067, 0.5497004779) % 1.0
    )  # evenly, of any number
    palette = hsv_to_rgb(spread * (1.0, 0.45, 0.25) + (0.0, 0.2, 0.75))
    return palette[np.asarray(codes)]


def plot_spectrogram(axes: "Axes", wave: np.ndarray, seconds: float) -> None:
    """Draw the energy of a sound (T,), 16 kHz, over time and frequency, as far as `seconds`."""
    from librosa import power_to_db, stft

    wave = np.asarray(wave, np.float32)[: round(seconds * SAMPLE_RATE)]
    padded = np.pad(wave, (0, max(0, 512 - len(wave))))
    power = np.abs(stft(padded, n_fft=512, hop_length=_STFT_HOP)) ** 2
    decibels = power_to_db(power, ref=max(float(power.max()), 1e-10), top_db=_DECIBELS)
    end = power.shape[1] * _STFT_HOP / SAMPLE_RATE
    axes.imshow(
        decibels,
        origin="lower",
        aspect="auto",
        cmap="magma",
        extent=(0, end, 0, SAMPLE_RATE / 2),
        vmin=-_DECIBELS,
        vmax=0,
    )
    axes.set(xlim=(0, seconds), ylim=(0, TOP), yticks=range(0, TOP + 1, 2000), ylabel="frequency, Hz")
    axes.set_facecolor("black")


def plot_codes(axes: "Axes", codes: np.ndarray, frame_rate: float, num_codes: int, seconds: float) -> None:
    """Draw every code of (N,) as a coloured cell at its time."""
    cells = code_colors(codes, num_codes)[None]
    axes.imshow(cells, aspect="auto", interpolation="nearest", extent=(0, len(codes) / frame_rate, 0, 1))
    axes.set(xlim=(0, seconds), xticks=[], yticks=[], xlabel=" ")  # room for lines to what is below
    set_panel_title(
        axes,
        f"Its codes: {len(codes)} numbers below {num_codes}, {frame_rate:g} a second, a colour for each",
    )


def set_panel_title(axes: "Axes", text: str) -> None:
    """Write what a panel shows above its left edge."""
    # A name may hold dollar signs, which would begin a formula.
    axes.set_title(text, loc="left", fontsize=13, color=INK, fontweight="bold", parse_math=False)


def save_figure(figure: "Figure", path: Path, *, num_colors: int = 256) -> None:
    """Write a PNG; it goes into a page and perhaps into a repository.

    Args:
        figure: what is drawn.
        path: of the PNG; replaced when it exists.
        colours: at most so many, which makes a file of a third of the size; 0 for all.

    Raises:
        UserError: the disk is full or not writable.
    """
    from PIL import Image

    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    image = Image.open(drawn).convert("RGB")
    image = image.quantize(num_colors, dither=Image.Dither.NONE) if num_colors else image
    with atomic_file(path) as temporary:
        image.save(temporary, format="PNG", optimize=True)
