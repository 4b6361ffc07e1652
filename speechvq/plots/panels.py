"""Parts that several figures share: spectrograms, codes as colors, panel titles, and saving as PNG."""

import io
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.io.atomic import atomic_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, DPI = 1600, 100  # pixels; pixels per inch
MAX_FREQUENCY = 6000  # Hz, of spectrograms
INK, FAINT = "#1b2733", "#8a96a3"

_N_FFT, _STFT_HOP = 512, 40  # samples; a hop of one pixel or less at this width
_DECIBELS = 65  # between the darkest and the brightest color


def new_figure(inches: float, *, h_pad: float = 0.08, w_pad: float = 0.08, hspace: float = 0.04) -> "Figure":
    """An empty figure, 1600 pixels wide and `inches` high; paddings are those of the constrained layout."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(h_pad=h_pad, w_pad=w_pad, hspace=hspace, wspace=0.02)
    return Figure(figsize=(WIDTH / DPI, inches), dpi=DPI, layout=layout)


def code_colors(codes: np.ndarray, num_codes: int) -> np.ndarray:
    """A color for each code, distinct from those of neighboring indices: (N,) to (N, 3), RGB in [0, 1]."""
    from matplotlib.colors import hsv_to_rgb

    # An additive recurrence covers the color space evenly for any K (Roberts 2018, R3 sequence).
    points = np.arange(num_codes)[:, None] * (0.8191725134, 0.6710436067, 0.5497004779) % 1.0
    palette: np.ndarray = hsv_to_rgb(points * (1.0, 0.45, 0.25) + (0.0, 0.2, 0.75))
    return palette[np.asarray(codes)]


def log_spectrogram(wave: np.ndarray) -> np.ndarray:
    """Power spectrogram of (T,) at 16 kHz in dB below its maximum, at least -65: (257, T // 40 + 1)."""
    from librosa import power_to_db, stft

    padded = np.pad(wave, (0, max(0, _N_FFT - len(wave))))
    power = np.abs(stft(padded, n_fft=_N_FFT, hop_length=_STFT_HOP)) ** 2
    decibels: np.ndarray = power_to_db(power, ref=max(float(power.max()), 1e-10), top_db=_DECIBELS)
    return decibels


def plot_spectrogram(axes: "Axes", wave: np.ndarray, seconds: float) -> None:
    """Plot the spectrogram of the first `seconds` of a waveform (T,) at 16 kHz."""
    decibels = log_spectrogram(np.asarray(wave, np.float32)[: round(seconds * SAMPLE_RATE)])
    axes.imshow(
        decibels,
        origin="lower",
        aspect="auto",
        cmap="magma",
        extent=(0, decibels.shape[1] * _STFT_HOP / SAMPLE_RATE, 0, SAMPLE_RATE / 2),
        vmin=-_DECIBELS,
        vmax=0,
    )
    axes.set(xlim=(0, seconds), ylim=(0, MAX_FREQUENCY), yticks=range(0, MAX_FREQUENCY + 1, 2000))
    axes.set(ylabel="frequency (Hz)", facecolor="black")


def plot_code_cells(axes: "Axes", codes: np.ndarray, num_codes: int, frame_rate: float) -> None:
    """Plot codes (N,) as colored cells over time in seconds; nothing for N = 0."""
    if len(codes):
        extent = (0, len(codes) / frame_rate, 0, 1)
        cells = code_colors(codes, num_codes)[None]
        axes.imshow(cells, aspect="auto", interpolation="nearest", extent=extent)


def set_panel_title(axes: "Axes", text: str) -> None:
    """Write a title above the left edge of a panel."""
    # Names may hold dollar signs, which would start a formula.
    axes.set_title(
        drawable_text(text), loc="left", fontsize=13, color=INK, fontweight="bold", parse_math=False
    )


def drawable_text(text: str) -> str:
    """Text with escapes for control characters and for characters that the font lacks, e.g. "\\x07"."""
    fonts = _default_fonts()
    known = (each.isprintable() and all(font.get_char_index(ord(each)) for font in fonts) for each in text)
    return "".join(c if ok else c.encode("unicode_escape").decode() for c, ok in zip(text, known))


@cache
def _default_fonts() -> list[Any]:
    """The font of figures, regular and bold."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return [get_font(findfont(FontProperties(weight=weight))) for weight in ("normal", "bold")]


def save_figure(figure: "Figure", path: Path, *, num_colors: int = 256) -> None:
    """Save a figure as PNG.

    Args:
        figure: what is saved.
        path: of the PNG; replaced if it exists.
        num_colors: size of the palette, which makes the file a third of the size; 0 for true color.

    Raises:
        UserError: the disk is full or not writable.
    """
    from PIL import Image

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    image = Image.open(buffer).convert("RGB")
    image = image.quantize(num_colors, dither=Image.Dither.NONE) if num_colors else image
    with atomic_file(path) as temporary:
        image.save(temporary, format="PNG", optimize=True)
