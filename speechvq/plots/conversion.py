"""The picture of a conversion: a sentence, its codes, and what other voices make of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from speechvq.alignment.intervals import Interval
from speechvq.audio.f0 import F0_HOP, MAX_F0, median_f0, track_f0
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.plots.panels import (
    DPI,
    INK,
    PIXELS,
    code_colors,
    plot_codes,
    plot_spectrogram,
    save_figure,
    set_panel_title,
)
from speechvq.plots.phone_colors import phone_colors
from speechvq.plots.phone_strip import plot_phones

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SECONDS = 4.0  # shown of a sentence; more and a code is narrower than a pixel
SHOWN = 32  # codes that are written as numbers
_PITCH = "#48e0e4"


def plot_conversion(
    path: Path,
    source: np.ndarray,
    codes: np.ndarray | None,
    converted: Mapping[str, np.ndarray],
    *,
    title: str,
    frame_rate: float = 250.0,
    num_codes: int = 512,
    phones: Sequence[Interval] = (),
) -> None:
    """Draw a sentence, its phones and codes, and the sentence in other voices below one another, on one axis of time.

    Args:
        path: of the PNG, 1600 pixels wide; replaced when it exists.
        source: (T,), float, 16 kHz; the first four seconds are shown.
        codes: (N,), integers of the source, or None where there is no model to ask.
        converted: (T',) each, by the name of the voice.
        title: of the source's panel, for example "p225, sentence 001".
        frame_rate: codes a second.
        num_codes: size of the codebook.
        phones: of the source, shown above it; empty where they are not known.

    Raises:
        UserError: the disk is full or not writable.
    """
    from matplotlib.figure import Figure

    seconds = min(len(source) / SAMPLE_RATE, SECONDS)
    codes = None if codes is None or not len(codes) else codes
    heights = [
        *([0.3] if phones else []),
        3.0,
        *([0.45, 0.75] if codes is not None else []),
        *(3.0 for _ in converted),
    ]
    figure = Figure(
        figsize=(PIXELS / DPI, 0.9 + sum(h + 0.62 for h in heights) * 0.82), dpi=DPI, layout="constrained"
    )
    figure.get_layout_engine().set(h_pad=0.08, w_pad=0.08, hspace=0.04)
    panels = iter(figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0])
    above = next(panels)
    if phones:
        plot_phones(above, phones, phone_colors(sorted({each.phone for each in phones})), seconds, "")
        above.set(xlim=(0, seconds), xticks=[])
        set_panel_title(above, "Its phones")
    _plot_spectrogram(next(panels) if phones else above, source, f"Source: {title}", seconds)
    if codes is not None:
        shown = codes[: round(seconds * frame_rate)]
        strip, numbers = next(panels), next(panels)
        plot_codes(strip, shown, frame_rate, num_codes, seconds)
        _plot_code_numbers(figure, strip, numbers, shown, frame_rate)
    for name, wave in converted.items():
        _plot_spectrogram(next(panels), wave, f"Spoken again from its codes, in the voice of {name}", seconds)
    figure.axes[len(heights) - 1].set_xlabel("seconds")
    save_figure(figure, path)


def _plot_spectrogram(axes: "Axes", wave: np.ndarray, title: str, seconds: float) -> None:
    """Energy over time and frequency, with the pitch track on an axis of its own."""
    wave = np.asarray(wave, np.float32)[: round(seconds * SAMPLE_RATE)]
    plot_spectrogram(axes, wave, seconds)
    track = track_f0(wave)
    right = axes.twinx()
    right.plot(np.arange(len(track.f0)) * F0_HOP / SAMPLE_RATE, track.f0, color="black", linewidth=5)
    right.plot(np.arange(len(track.f0)) * F0_HOP / SAMPLE_RATE, track.f0, color=_PITCH, linewidth=2.5)
    right.set(ylim=(0, MAX_F0), yticks=range(0, int(MAX_F0) + 1, 100))
    right.set_ylabel("pitch, Hz", color="#0e8f94")
    median = median_f0(track)
    said = f"median pitch {median:.0f} Hz" if np.isfinite(median) else "no pitch found"
    set_panel_title(axes, title)
    axes.set_title(said, loc="right", fontsize=12, color="#0e8f94")


def _plot_code_numbers(
    figure: "Figure", strip: "Axes", axes: "Axes", codes: np.ndarray, frame_rate: float
) -> None:
    """Some codes from the middle, large enough to read, and lines to where they are in the strip."""
    from matplotlib.patches import ConnectionPatch

    count = min(SHOWN, len(codes))
    first = (len(codes) - count) // 2
    part = codes[first : first + count]
    colours = code_colors(part, int(codes.max(initial=0)) + 1)
    axes.imshow(colours[None], aspect="auto", interpolation="nearest", extent=(0, max(count, 1), 0, 1))
    for i, code in enumerate(part):
        axes.text(i + 0.5, 0.5, str(code), ha="center", va="center", fontsize=11, color=INK)
    axes.set(xticks=[], yticks=[])
    strip.axvspan(first / frame_rate, (first + count) / frame_rate, fill=False, edgecolor=INK, linewidth=3)
    for edge, x in ((first, 0), (first + count, max(count, 1))):
        ends = {
            "xyA": (edge / frame_rate, 0),
            "coordsA": strip.transData,
            "xyB": (x, 1),
            "coordsB": axes.transData,
        }
        figure.add_artist(ConnectionPatch(**ends, color=INK, linewidth=1.2))
    axes.set_xlabel(f"{count} of them, {1000 * count / frame_rate:.0f} ms, enlarged", color=INK)
