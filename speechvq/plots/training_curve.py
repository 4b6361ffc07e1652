"""The figure of a training run: losses, codebook usage and ablations by training step."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from speechvq.plots.panels import FAINT, new_figure, save_figure, set_panel_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Line(NamedTuple):
    """A line of a panel."""

    key: str  # of a logged metric; "bits" is `nats` converted to bits
    label: str  # in the legend; "" for none
    color: str


class Panel(NamedTuple):
    """A panel of the figure."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    from_zero: bool = True  # whether the y axis includes zero


TRAINING = Line("bits", "training", FAINT)
USAGE = Panel(
    "Perplexity of the codes ↑",
    "codes",
    (Line("perplexity", "training", FAINT), Line("heldout_perplexity", "held out", "#1d4ed8")),
)
SPEECH = (
    Panel(
        "Loss ↓",
        "bits/sample",
        (TRAINING, Line("heldout_bits", "held out", "#c2410c")),
        from_zero=False,
    ),
    USAGE,
    Panel(
        "Loss increase with shuffled codes (0: codes are not used)",
        "bits/sample",
        (Line("codes_gap_bits", "", "#047857"),),
    ),
    Panel(
        "Loss increase with shuffled speakers (0: speakers are not used)",
        "bits/sample",
        (Line("speaker_gap_bits", "", "#7e22ce"),),
    ),
)
IMAGES = (
    Panel(
        "Bound on held-out images, latents included ↓",
        "bits/dim",
        (Line("heldout_bits", "", "#c2410c"),),
        from_zero=False,
    ),
    Panel(
        "Parts of the bound",
        "bits/dim",
        (
            Line("heldout_reconstruction_bits", "reconstruction: images given latents", "#1d4ed8"),
            Line("heldout_latents_bits", "latents under the training prior", "#047857"),
        ),
    ),
    Panel("Training loss of the decoder ↓", "bits/dim", (TRAINING,), from_zero=False),
)
IMAGE_CODES = (*IMAGES, USAGE)
CODES = (
    Panel(
        "Loss ↓",
        "bits/code",
        (TRAINING, Line("heldout_bits", "held out", "#c2410c")),
        from_zero=False,
    ),
)
SECOND_STAGE = (
    *CODES,
    Panel(
        "Loss increase with shuffled latents (0: latents are not used)",
        "bits/code",
        (Line("latents_gap_bits", "", "#047857"),),
    ),
    USAGE,
)


def plot_training_curve(
    path: Path, metrics: Sequence[Mapping[str, float]], panels: Sequence[Panel] = SPEECH
) -> None:
    """Save the figure of a training run as PNG, 1600 pixels wide; see `training_figure`.

    Raises:
        UserError: the disk is full or not writable.
    """
    save_figure(training_figure(metrics, panels), path)


def training_figure(metrics: Sequence[Mapping[str, float]], panels: Sequence[Panel] = SPEECH) -> "Figure":
    """Logged metrics by training step.

    Args:
        metrics: one mapping per line of the log, each with "step".
        panels: one to four.
    """
    rows = (len(panels) + 1) // 2
    figure = new_figure(4.5 * rows, h_pad=0.12, w_pad=0.12, hspace=0.06)
    lines = [{**line, "bits": line["nats"] / np.log(2)} if "nats" in line else line for line in metrics]
    every = figure.subplots(rows, min(len(panels), 2), sharex=True, squeeze=False).flat
    for axes, panel in zip(every, panels):
        for line in panel.lines:
            _plot_line(axes, lines, line)
        _style_axes(axes, panel)
        axes.set_xlim(left=0)
    for axes in every[len(panels) :]:
        axes.set_axis_off()
    for axes in every[max(len(panels) - 2, 0) : len(panels)]:  # the lowest of each column
        axes.set_xlabel("training step")
        axes.tick_params(labelbottom=True)
    return figure


def _plot_line(axes: "Axes", metrics: Sequence[Mapping[str, float]], line: Line) -> None:
    """Plot one metric at the steps at which it was logged."""
    points = [(each["step"], each[line.key]) for each in metrics if line.key in each]
    if points:
        steps, values = zip(*points)
        marker = "o" if len(points) < 40 else ""
        axes.plot(
            steps,
            values,
            marker=marker,
            markersize=4,
            color=line.color,
            linewidth=2,
            label=line.label or None,
        )


def _style_axes(axes: "Axes", panel: Panel) -> None:
    """Add title, grid and legend; include zero where that is meaningful; mark a panel without data."""
    set_panel_title(axes, panel.title)
    axes.set_ylabel(panel.unit)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if not axes.lines:
        axes.text(0.5, 0.5, "no data yet", transform=axes.transAxes, ha="center", color=FAINT, fontsize=14)
    elif panel.from_zero:
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    if axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False, fontsize=11)
