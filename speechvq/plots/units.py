"""A picture of units: which code stands for which phone, and one utterance as sound, phones and codes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from speechvq.alignment.intervals import Interval, phones_at_frames
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.metrics.units.purity import LabeledCodes, PurityScore
from speechvq.plots.panels import (
    DPI,
    FAINT,
    PIXELS,
    code_colors,
    plot_spectrogram,
    save_figure,
    set_panel_title,
)
from speechvq.plots.phone_colors import phone_colors
from speechvq.plots.phone_strip import keep_label_only, plot_phones
from speechvq.plots.unit_matrix import MOST_PHONES, plot_matrix, sorted_matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SECONDS = 2.5  # shown of the utterance: its phones can still be read


def plot_units(
    path: Path,
    score: PurityScore,
    example: LabeledCodes,
    wave: np.ndarray | None,
    *,
    title: str,
    frame_rate: float,
) -> None:
    """Draw the matrix of phones by codes, and below it a piece of one utterance.

    Args:
        path: of the PNG, 1600 pixels wide; replaced when it exists.
        score: whose table is drawn.
        example: codes (N,) and phones of the utterance.
        wave: (T,), float, 16 kHz, its sound; None leaves the spectrogram out.
        title: the name of the utterance.
        frame_rate: codes a second.

    Raises:
        UserError: the disk is full or not writable.
    """
    from matplotlib.figure import Figure

    matrix = sorted_matrix(score)
    upper = 2.2 + max(0.2 * min(len(matrix.phones), MOST_PHONES), 1.5)
    lower = 3.0 + (2.8 if wave is not None else 0.0)
    figure = Figure(figsize=(PIXELS / DPI, upper + lower), dpi=DPI, layout="constrained")
    figure.get_layout_engine().set(h_pad=0.08, w_pad=0.1, hspace=0.02, wspace=0.01)
    above, below = figure.subfigures(2, 1, height_ratios=[upper, lower])
    plot_matrix(above, matrix)
    _plot_utterance(below, score, example, wave, title=title, frame_rate=frame_rate)
    save_figure(figure, path, num_colors=0)  # fewer would blur what is dark and what is darker


def _plot_utterance(
    figure: "Figure",
    score: PurityScore,
    example: LabeledCodes,
    wave: np.ndarray | None,
    *,
    title: str,
    frame_rate: float,
) -> None:
    """Spectrogram, phones, codes, and the phones that the codes stand for, on one axis of time."""
    heights = [*([2.8] if wave is not None else []), 0.5, 0.5, 0.5]
    panels = figure.subplots(len(heights), 1, height_ratios=heights, sharex=True, squeeze=False)[:, 0]
    start = _densest_start(example)
    first, last = np.round((np.array([start, start + SECONDS])) * frame_rate).astype(int)
    codes = example.codes[first:last]
    if wave is not None:
        from_sample, to_sample = np.round(np.array([first, last]) / frame_rate * SAMPLE_RATE).astype(int)
        plot_spectrogram(panels[0], wave[from_sample:to_sample], SECONDS)
    spoken = phones_at_frames(example.intervals, len(example.codes), frame_rate)[first:last]
    guessed = _mapped_phones(score, codes)
    right = sum(a is not None and a == b for a, b in zip(spoken, guessed))
    known = sum(a is not None for a in spoken)
    colours = phone_colors(score.phones)
    said, numbers, read = panels[-3:]
    plot_phones(said, _runs(spoken, frame_rate), colours, SECONDS, "phones")
    _plot_code_cells(numbers, codes, score.table.shape[1], frame_rate)
    plot_phones(read, _runs(guessed, frame_rate), colours, SECONDS, "read off\nthe codes")
    where = f"{title}, from {first / frame_rate:.2f} s"
    set_panel_title(panels[0], f"{where}: its phones, its codes, and what those stand for")
    said_right = f"{right} of the {known} codes shown stand for the phone they are in"
    panels[0].set_title(said_right, loc="right", color=FAINT)
    read.set(xlim=(0, SECONDS), xlabel="seconds")


def _densest_start(example: LabeledCodes) -> float:
    """Where the piece with the most phones begins, in seconds."""
    starts = np.array([each.start for each in example.intervals])
    latest = max(example.intervals[-1].end - SECONDS, 0.0)
    candidates = np.append(starts[starts <= latest], latest)
    within = np.searchsorted(starts, candidates + SECONDS) - np.searchsorted(starts, candidates)
    return float(candidates[within.argmax()])


def _mapped_phones(score: PurityScore, codes: np.ndarray) -> list[str | None]:
    """The phone that each code (N,) stands for; None for a code that was never within a phone."""
    known, best = score.table.any(axis=0), score.table.argmax(axis=0)
    return [score.phones[best[code]] if known[code] else None for code in codes]


def _runs(names: Sequence[str | None], frame_rate: float) -> list[Interval]:
    """An interval for each run of equal names; none where there is no name."""
    edges = [i for i in range(len(names) + 1) if i in (0, len(names)) or names[i] != names[i - 1]]
    runs = [(first, last, names[first]) for first, last in zip(edges, edges[1:])]
    return [
        Interval(first / frame_rate, last / frame_rate, name)
        for first, last, name in runs
        if name is not None
    ]


def _plot_code_cells(axes: "Axes", codes: np.ndarray, num_codes: int, frame_rate: float) -> None:
    """A coloured cell for each code."""
    cells = code_colors(codes, num_codes)[None]
    axes.imshow(cells, aspect="auto", interpolation="nearest", extent=(0, len(codes) / frame_rate, 0, 1))
    keep_label_only(axes, "codes")
