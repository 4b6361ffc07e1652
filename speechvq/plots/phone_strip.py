"""A strip of phones along a time axis."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from speechvq.alignment.intervals import Interval
from speechvq.plots.panels import INK, WIDTH, drawable_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TEXT_STYLE: dict[str, Any] = {
    "ha": "center",
    "va": "center",
    "fontsize": 10,
    "color": INK,
    "parse_math": False,
}


def plot_phones(
    axes: "Axes",
    intervals: Sequence[Interval],
    colors: Mapping[str, tuple[float, float, float]],
    seconds: float,
    label: str,
) -> None:
    """Plot a colored cell for each phone, with its name where there is room.

    Args:
        axes: its x axis is time, from 0 to `seconds`.
        intervals: phones.
        colors: of every phone, RGB in [0, 1].
        seconds: end of the axis.
        label: to the left of the strip.
    """
    pixel, drawn = seconds / WIDTH, 0.0
    for interval in intervals:
        start, end, name = interval.start, min(interval.end, seconds), interval.phone
        if start >= seconds:
            break
        if start >= end or end - drawn < pixel:  # also bounds the cells, if labels are denser than pixels
            continue
        drawn = end
        line = 0.8 if end - start > 0.01 * seconds else 0.0
        axes.axvspan(start, end, facecolor=colors[name], edgecolor="white", linewidth=line)
        shown = drawable_text(name)
        if end - start > seconds * (0.008 + 0.0055 * len(shown)):
            axes.text((start + end) / 2, 0.5, shown, **_TEXT_STYLE)
    keep_label_only(axes, label)


def keep_label_only(axes: "Axes", label: str) -> None:
    """Remove ticks and frame of a strip, and write its label to the left."""
    axes.set(yticks=[], ylim=(0, 1))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_ylabel(label, rotation=0, ha="right", va="center", color=INK)
