"""The figure of a conversion: a sentence with its phones and codes, and its conversions to other speakers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from speechvq.alignment.intervals import Interval
from speechvq.audio.f0 import F0_HOP, MAX_F0, median_f0, track_f0
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.plots.panels import (
    INK,
    code_colors,
    new_figure,
    plot_code_cells,
    plot_spectrogram,
    save_figure,
    set_panel_title,
)
from speechvq.plots.phone_colors import phone_colors
from speechvq.plots.phone_strip import plot_phones

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_SECONDS = 4.0  # of the sentence; with more, a code would be narrower than a pixel
MAX_NUMBERS = 32  # codes that are written as numbers
_F0_LINE, _F0_TEXT = "#48e0e4", "#0e8f94"


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
    """Save the figure of a conversion as PNG, 1600 pixels wide; see `conversion_figure`.

    Raises:
        UserError: the disk is full or not writable.
    """
    figure = conversion_figure(
        source, codes, converted, title=title, frame_rate=frame_rate, num_codes=num_codes, phones=phones
    )
    save_figure(figure, path)


def conversion_figure(
    source: np.ndarray,
    codes: np.ndarray | None,
    converted: Mapping[str, np.ndarray],
    *,
    title: str,
    frame_rate: float = 250.0,
    num_codes: int = 512,
    phones: Sequence[Interval] = (),
) -> "Figure":
    """Spectrograms of a sentence and its conversions on one time axis, with phones and codes.

    Args:
        source: (T,), float, 16 kHz; the first four seconds are shown.
        codes: (N,), integers, of the source; None to leave them out.
        converted: (T',) each, by target speaker.
        title: of the source's panel, for example "p225, sentence 001".
        frame_rate: codes per second.
        num_codes: codebook size K.
        phones: of the source; empty to leave them out.
    """
    seconds = min(len(source) / SAMPLE_RATE, MAX_SECONDS)
    codes = None if codes is None or not len(codes) else codes[: max(round(seconds * frame_rate), 1)]
    with_codes = codes is not None
    heights = [
        *([0.3] if phones else []),
        3.0,
        *([0.45, 0.75] if with_codes else []),
        *(3.0 for _ in converted),
    ]
    figure = new_figure(0.9 + sum(height + 0.62 for height in heights) * 0.82)
    panels = list(figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0])
    rest = iter(panels)
    if phones:
        strip = next(rest)
        plot_phones(strip, phones, phone_colors(sorted({each.phone for each in phones})), seconds, "")
        strip.set(xlim=(0, seconds), xticks=[])
        set_panel_title(strip, "Phones")
    lowest = next(rest)
    _plot_spectrogram(lowest, source, f"Source: {title}", seconds)
    if codes is not None:
        strip, numbers = next(rest), next(rest)
        plot_code_cells(strip, codes, num_codes, frame_rate)
        strip.set(xlim=(0, seconds), xticks=[], yticks=[], xlabel=" ")  # room for the connecting lines
        set_panel_title(strip, f"{len(codes)} codes at {frame_rate:g} per second (codebook size {num_codes})")
        _plot_code_numbers(figure, strip, numbers, codes, num_codes, frame_rate)
    for speaker, wave in converted.items():
        lowest = next(rest)
        _plot_spectrogram(lowest, wave, f"Conversion to {speaker}", seconds)
    lowest.set_xlabel("time (s)")
    return figure


def _plot_spectrogram(axes: "Axes", wave: np.ndarray, title: str, seconds: float) -> None:
    """Plot a spectrogram, with the F0 track on a second y axis."""
    shown = f" of these {seconds:.3g} s" if len(wave) > round(MAX_SECONDS * SAMPLE_RATE) else ""
    wave = np.asarray(wave, np.float32)[: round(seconds * SAMPLE_RATE)]
    plot_spectrogram(axes, wave, seconds)
    track = track_f0(wave)
    times = np.arange(len(track.f0)) * F0_HOP / SAMPLE_RATE
    right = axes.twinx()
    right.plot(times, track.f0, color="black", linewidth=5)
    right.plot(times, track.f0, color=_F0_LINE, linewidth=2.5)
    right.set(ylim=(0, MAX_F0), yticks=range(0, int(MAX_F0) + 1, 100))
    right.set_ylabel("F0 (Hz)", color=_F0_TEXT)
    median = median_f0(track)
    text = f"median F0{shown} {median:.0f} Hz" if np.isfinite(median) else "no F0"
    set_panel_title(axes, title)
    axes.set_title(text, loc="right", fontsize=12, color=_F0_TEXT)


def _plot_code_numbers(
    figure: "Figure", strip: "Axes", axes: "Axes", codes: np.ndarray, num_codes: int, frame_rate: float
) -> None:
    """Plot some codes from the middle with their numbers, and lines to their place in the strip."""
    from matplotlib.patches import ConnectionPatch

    count = min(MAX_NUMBERS, len(codes))
    first = (len(codes) - count) // 2
    shown = codes[first : first + count]
    cells = code_colors(shown, num_codes)[None]
    axes.imshow(cells, aspect="auto", interpolation="nearest", extent=(0, max(count, 1), 0, 1))
    for i, code in enumerate(shown):
        axes.text(i + 0.5, 0.5, str(code), ha="center", va="center", fontsize=11, color=INK)
    axes.set(xticks=[], yticks=[])
    strip.axvspan(first / frame_rate, (first + count) / frame_rate, fill=False, edgecolor=INK, linewidth=3)
    for edge, x in ((first, 0), (first + count, max(count, 1))):
        line = ConnectionPatch(
            (edge / frame_rate, 0), (x, 1), strip.transData, axes.transData, color=INK, linewidth=1.2
        )
        figure.add_artist(line)
    axes.set_xlabel(f"{count} codes ({1000 * count / frame_rate:.0f} ms), enlarged", color=INK)
