"""The picture of a training run: loss, codes in use, and what wrong codes and names cost."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from speechvq.pictures.panels import DPI, FAINT, PIXELS, save_picture, write_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_curve(path: Path, metrics: Sequence[Mapping[str, float]]) -> None:
    """Draw the course of training: loss, codes in use, and what wrong codes and names cost.

    Args:
        path: of the PNG, 1600 pixels wide; replaced when it exists.
        metrics: one mapping a line, each with "step".

    Raises:
        UserError: the disk is full or not writable.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(PIXELS / DPI, 9), dpi=DPI, layout="constrained")
    figure.get_layout_engine().set(h_pad=0.12, w_pad=0.12, hspace=0.06, wspace=0.04)
    loss, use, codes, voice = figure.subplots(2, 2, sharex=True).flat
    bits = [{**line, "bits": line["nats"] / np.log(2)} for line in metrics if "nats" in line]
    _curve(loss, bits, "bits", "training", FAINT)
    _curve(loss, metrics, "heldout_bits", "held-out sentences", "#c2410c")
    _dress(loss, "Loss: bits to guess each sample of sound (lower is better)", "bits a sample", zero=False)
    _curve(use, metrics, "perplexity", "training", FAINT)
    _curve(use, metrics, "heldout_perplexity", "held-out sentences", "#1d4ed8")
    _dress(use, "Perplexity: how many codes are in use (higher is better)", "codes")
    _curve(codes, metrics, "codes_gap_bits", "", "#047857")
    _dress(codes, "What another sentence's codes cost: at 0 the codes say nothing", "bits a sample")
    _curve(voice, metrics, "speaker_gap_bits", "", "#7e22ce")
    _dress(voice, "What another speaker's name costs: at 0 the voice cannot change", "bits a sample")
    for axes in (codes, voice):
        axes.set_xlabel("training step")
        axes.set_xlim(left=0)
    save_picture(figure, path)


def _curve(axes: "Axes", metrics: Sequence[Mapping[str, float]], key: str, label: str, colour: str) -> None:
    points = [(line["step"], line[key]) for line in metrics if key in line]
    if points:
        few = "o" if len(points) < 40 else ""
        axes.plot(*zip(*points), marker=few, markersize=4, color=colour, linewidth=2, label=label or None)


def _dress(axes: "Axes", title: str, unit: str, *, zero: bool = True) -> None:
    """Title, grid, legend; an axis from zero where zero means something; a word where nothing is."""
    write_title(axes, title)
    axes.set_ylabel(unit)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if not axes.lines:
        axes.text(
            0.5, 0.5, "not measured yet", transform=axes.transAxes, ha="center", color=FAINT, fontsize=14
        )
    elif zero:
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    if axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False, fontsize=11)
