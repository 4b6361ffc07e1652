"""The figure of units: phones by codes, and one utterance with its phones and codes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from speechvq.alignment.intervals import Interval, phones_at_frames
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.metrics.units.purity import LabeledCodes, PurityScore
from speechvq.plots.panels import (
    FAINT,
    new_figure,
    plot_code_cells,
    plot_spectrogram,
    save_figure,
    set_panel_title,
)
from speechvq.plots.phone_colors import phone_colors
from speechvq.plots.phone_strip import keep_label_only, plot_phones
from speechvq.plots.unit_matrix import MAX_PHONES, plot_matrix, sorted_matrix

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

MAX_SECONDS = 2.5  # of the utterance; with more, names of phones would not fit


def plot_units(
    path: Path,
    score: PurityScore,
    example: LabeledCodes,
    wave: np.ndarray | None,
    *,
    title: str,
    frame_rate: float,
) -> None:
    """Save the figure of units as PNG, 1600 pixels wide; see `unit_figure`.

    Raises:
        UserError: the disk is full or not writable.
    """
    figure = unit_figure(score, example, wave, title=title, frame_rate=frame_rate)
    save_figure(figure, path, num_colors=0)  # a palette would merge shades of the matrix


def unit_figure(
    score: PurityScore,
    example: LabeledCodes,
    wave: np.ndarray | None,
    *,
    title: str,
    frame_rate: float,
) -> "Figure":
    """The matrix of phones by codes, and below it a segment of one utterance.

    Args:
        score: its table is plotted, and maps codes to phones.
        example: codes (N,) and phones of the utterance.
        wave: (T,), float, 16 kHz, of the utterance; None leaves the spectrogram out.
        title: the name of the utterance.
        frame_rate: codes per second.
    """
    matrix = sorted_matrix(score)
    upper = 2.2 + max(0.2 * min(len(matrix.phones), MAX_PHONES), 1.5)  # inches
    lower = 3.0 + (2.8 if wave is not None else 0.0)
    figure = new_figure(upper + lower, w_pad=0.1, hspace=0.02)
    parts: Any = figure.subfigures(2, 1, height_ratios=[upper, lower])
    above, below = parts
    plot_matrix(above, matrix)
    _plot_utterance(below, score, example, wave, title=title, frame_rate=frame_rate)
    return figure


def _plot_utterance(
    figure: "SubFigure",
    score: PurityScore,
    example: LabeledCodes,
    wave: np.ndarray | None,
    *,
    title: str,
    frame_rate: float,
) -> None:
    """Plot spectrogram, phones, codes, and the phones that the codes predict, on one time axis."""
    heights = [*([2.8] if wave is not None else []), 0.5, 0.5, 0.5]
    panels = figure.subplots(len(heights), 1, height_ratios=heights, sharex=True, squeeze=False)[:, 0]
    start, seconds = _densest_segment(example)
    first, last = np.round((np.array([start, start + seconds])) * frame_rate).astype(int)
    codes = example.codes[first:last]
    if wave is not None:
        from_sample, to_sample = np.round(np.array([first, last]) / frame_rate * SAMPLE_RATE).astype(int)
        plot_spectrogram(panels[0], wave[from_sample:to_sample], seconds)
    phones = phones_at_frames(example.intervals, len(example.codes), frame_rate)[first:last]
    predicted = _predicted_phones(score, codes)
    correct = sum(a is not None and a == b for a, b in zip(phones, predicted))
    labeled = sum(phone is not None for phone in phones)
    colors = phone_colors(score.phones)
    phone_strip, code_strip, predicted_strip = panels[-3:]
    plot_phones(phone_strip, _merge_runs(phones, frame_rate), colors, seconds, "phones")
    plot_code_cells(code_strip, codes, score.table.shape[1], frame_rate)
    keep_label_only(code_strip, "codes")
    plot_phones(predicted_strip, _merge_runs(predicted, frame_rate), colors, seconds, "predicted\nphones")
    set_panel_title(panels[0], f"{title} from {first / frame_rate:.2f} s: phones, codes, predicted phones")
    accuracy = f"{correct} of {labeled} codes predict the phone at their frame"
    panels[0].set_title(accuracy, loc="right", color=FAINT)
    predicted_strip.set(xlim=(0, seconds), xlabel="time (s)")


def _densest_segment(example: LabeledCodes) -> tuple[float, float]:
    """Start and duration of the segment with the most phones, in seconds."""
    seconds = min(example.intervals[-1].end, MAX_SECONDS)
    starts = np.array([each.start for each in example.intervals])
    latest = example.intervals[-1].end - seconds
    candidates = np.append(starts[starts <= latest], latest)
    within = np.searchsorted(starts, candidates + seconds) - np.searchsorted(starts, candidates)
    return float(candidates[within.argmax()]), seconds


def _predicted_phones(score: PurityScore, codes: np.ndarray) -> list[str | None]:
    """The most frequent phone of each code (N,); None for a code that occurs in no phone."""
    known, best = score.table.sum(axis=0) > 0, score.table.argmax(axis=0)
    return [score.phones[best[code]] if known[code] else None for code in codes]


def _merge_runs(names: Sequence[str | None], frame_rate: float) -> list[Interval]:
    """An interval for each run of equal names; none for runs of None."""
    edges = [i for i in range(len(names) + 1) if i in (0, len(names)) or names[i] != names[i - 1]]
    runs = [(first, last, names[first]) for first, last in zip(edges, edges[1:])]
    return [
        Interval(first / frame_rate, last / frame_rate, name)
        for first, last, name in runs
        if name is not None
    ]
