"""The picture of a training run: the loss, the codes in use, and what a model's parts are worth, by step."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from speechvq.plots.panels import DPI, FAINT, PIXELS, save_figure, set_panel_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Line(NamedTuple):
    """What is drawn into a panel: a number of the metrics, its name in the legend or none, its colour."""

    key: str  # "bits" is the training's `nats` in bits
    label: str
    color: str


class Panel(NamedTuple):
    """One of the picture's four quarters."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    from_zero: bool = True  # where zero means something


TRAINING = Line("bits", "training", FAINT)
USE = Panel(
    "Perplexity: how many codes are in use (higher is better)",
    "codes",
    (Line("perplexity", "training", FAINT), Line("heldout_perplexity", "held out", "#1d4ed8")),
)
SPEECH = (
    Panel(
        "Loss: bits to guess each sample of sound (lower is better)",
        "bits a sample",
        (TRAINING, Line("heldout_bits", "held-out sentences", "#c2410c")),
        from_zero=False,
    ),
    USE,
    Panel(
        "What another sentence's codes cost: at 0 the codes say nothing",
        "bits a sample",
        (Line("codes_gap_bits", "", "#047857"),),
    ),
    Panel(
        "What another speaker's name costs: at 0 the voice cannot change",
        "bits a sample",
        (Line("speaker_gap_bits", "", "#7e22ce"),),
    ),
)
IMAGES = (
    Panel(
        "The bound on held-out pictures, latents included (lower is better)",
        "bits/dim",
        (Line("heldout_bits", "", "#c2410c"),),
        from_zero=False,
    ),
    Panel(
        "Its parts",
        "bits/dim",
        (
            Line("heldout_reconstruction_bits", "pictures, given their latents", "#1d4ed8"),
            Line("heldout_latents_bits", "latents, under the training's prior", "#047857"),
        ),
    ),
    Panel("Training: what the decoder learns from", "bits/dim", (TRAINING,), from_zero=False),
)
IMAGE_CODES = (*IMAGES, USE)
CODES = (
    Panel(
        "Loss: bits to guess each code (lower is better)",
        "bits a code",
        (TRAINING, Line("heldout_bits", "held out", "#c2410c")),
        from_zero=False,
    ),
)
SECOND_STAGE = (
    *CODES,
    Panel(
        "What another picture's latents cost: at 0 they say nothing",
        "bits a code",
        (Line("latents_gap_bits", "", "#047857"),),
    ),
    USE,
)


def plot_training_curve(
    path: Path, metrics: Sequence[Mapping[str, float]], panels: Sequence[Panel] = SPEECH
) -> None:
    """Draw the course of training.

    Args:
        path: of the PNG, 1600 pixels wide; replaced when it exists.
        metrics: one mapping a line, each with "step".
        panels: one to four.

    Raises:
        UserError: the disk is full or not writable.
    """
    from matplotlib.figure import Figure

    rows = (len(panels) + 1) // 2
    figure = Figure(figsize=(PIXELS / DPI, 4.5 * rows), dpi=DPI, layout="constrained")
    figure.get_layout_engine().set(h_pad=0.12, w_pad=0.12, hspace=0.06, wspace=0.04)
    lines = [{**line, "bits": line["nats"] / np.log(2)} if "nats" in line else line for line in metrics]
    every = figure.subplots(rows, min(len(panels), 2), sharex=True, squeeze=False).flat
    for axes, panel in zip(every, panels):
        for line in panel.lines:
            _plot_line(axes, lines, line)
        _style_axes(axes, panel)
        axes.set_xlim(left=0)
    for axes in every[len(panels) :]:
        axes.set_axis_off()
    for axes in every[max(len(panels) - 2, 0) : len(panels)]:  # the lowest of their columns
        axes.set_xlabel("training step")
        axes.tick_params(labelbottom=True)
    save_figure(figure, path)


def _plot_line(axes: "Axes", metrics: Sequence[Mapping[str, float]], line: Line) -> None:
    points = [(each["step"], each[line.key]) for each in metrics if line.key in each]
    if points:
        few = "o" if len(points) < 40 else ""
        style = {"marker": few, "markersize": 4, "color": line.color, "linewidth": 2}
        axes.plot(*zip(*points), **style, label=line.label or None)


def _style_axes(axes: "Axes", panel: Panel) -> None:
    """Title, grid, legend; an axis from zero where zero means something; a word where nothing is."""
    set_panel_title(axes, panel.title)
    axes.set_ylabel(panel.unit)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if not axes.lines:
        axes.text(
            0.5, 0.5, "not measured yet", transform=axes.transAxes, ha="center", color=FAINT, fontsize=14
        )
    elif panel.from_zero:
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    if axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False, fontsize=11)
