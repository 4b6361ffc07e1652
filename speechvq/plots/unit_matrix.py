"""The matrix of phones by codes: which phone a code stands for, and how surely."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from speechvq.metrics.units.purity import PurityScore
from speechvq.plots.panels import FAINT, set_panel_title
from speechvq.plots.phone_colors import order_by_manner

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

MOST_PHONES = 60  # rows that still have room for names

_SHADES = ("#ffffff", "#e3edf7", "#a9cbe6", "#5899cc", "#1f5f9f", "#0a2f5c")
_RIGHT, _WRONG = "#1f5f9f", "#c9d3dc"


class PhoneCodeMatrix(NamedTuple):
    """A table in the order in which it is drawn."""

    table: np.ndarray  # (P, A), frames; A codes that occur
    phones: tuple[str, ...]  # P
    best: np.ndarray  # (A,), row of each code's likeliest phone
    num_codes: int  # K


def sorted_matrix(score: PurityScore) -> PhoneCodeMatrix:
    """CachedPhoneRecognizer by manner of speaking; codes by the phone they stand for, the surest first."""
    order = np.array(order_by_manner(score.phones, score.table.sum(axis=1)))
    table = score.table[order]
    table = table[:, table.any(axis=0)]
    best = table.argmax(axis=0)
    codes = np.lexsort((-table.max(axis=0) / table.sum(axis=0), best))
    return PhoneCodeMatrix(
        table[:, codes], tuple(score.phones[i] for i in order), best[codes], score.table.shape[1]
    )


def plot_matrix(figure: "Figure | SubFigure", matrix: PhoneCodeMatrix) -> None:
    """Draw the share of each phone in each code, with how often both occur along the edges."""
    axes = figure.subplots(2, 2, height_ratios=[1.0, 6.0], width_ratios=[12.0, 1.0])
    (above, corner), (middle, beside) = axes
    corner.axis("off")
    kept = np.sort(np.argsort(-matrix.table.sum(axis=1), kind="stable")[:MOST_PHONES])
    right = np.where(np.arange(len(matrix.phones))[:, None] == matrix.best, matrix.table, 0)
    _plot_bars(above, np.arange(matrix.table.shape[1]), matrix.table.sum(axis=0), right.sum(axis=0))
    purity = f"phone purity {100 * right.sum() / matrix.table.sum():.1f} %"
    occur = f"{matrix.table.shape[1]} of {matrix.num_codes} codes occur"
    set_panel_title(above, f"Which phone does a code stand for? {occur}, {purity}")
    above.set_title("frames of each code; the blue part is right", loc="right", color=FAINT)
    _plot_fractions(middle, (matrix.table / matrix.table.sum(axis=0))[kept])
    middle.set_yticks(range(len(kept)), [matrix.phones[i] for i in kept], fontsize=10, parse_math=False)
    left_out = len(matrix.phones) - len(kept)
    rare = f"; {left_out} rare phones are left out" if left_out else ""
    middle.set_xlabel(f"codes, by their likeliest phone; dark: most frames of a code are of that phone{rare}")
    _plot_bars(
        beside, np.arange(len(kept)), matrix.table.sum(axis=1)[kept], right.sum(axis=1)[kept], flat=True
    )
    beside.set_ylim(middle.get_ylim())
    beside.set_xlabel("frames")


def _plot_fractions(axes: "Axes", fractions: np.ndarray) -> None:
    """Shares in [0, 1] from white to dark blue, with thin lines between the phones."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("shares", _SHADES)
    axes.imshow(fractions, aspect="auto", cmap=colours, vmin=0, vmax=1, interpolation="nearest")
    axes.set_yticks(np.arange(len(fractions) + 1) - 0.5, minor=True)
    axes.grid(axis="y", which="minor", color="#eef2f5", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    axes.set_xticks([])


def _plot_bars(
    axes: "Axes", at: np.ndarray, total: np.ndarray, right: np.ndarray, *, flat: bool = False
) -> None:
    """Frames as bars, the right ones in blue; `flat` lays them on their side."""
    draw = axes.barh if flat else axes.bar
    draw(at, total, 1.0 if not flat else 0.8, color=_WRONG)
    draw(at, right, 1.0 if not flat else 0.8, color=_RIGHT)
    axes.margins(0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_yticks([]) if flat else axes.set_xticks([])
    axes.locator_params(axis="x" if flat else "y", nbins=2 if flat else 3)
