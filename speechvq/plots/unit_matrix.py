"""The matrix of phones by codes: the fraction of each phone among the frames of each code."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from speechvq.metrics.units.purity import PurityScore
from speechvq.plots.panels import FAINT, drawable_text, set_panel_title
from speechvq.plots.phone_colors import order_by_manner

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

MAX_PHONES = 60  # rows that leave room for their names

_COLORMAP = ("#ffffff", "#e3edf7", "#a9cbe6", "#5899cc", "#1f5f9f", "#0a2f5c")
_CORRECT, _WRONG = "#1f5f9f", "#c9d3dc"


class PhoneCodeMatrix(NamedTuple):
    """A contingency table in the order in which it is plotted."""

    table: np.ndarray  # (P, A), frames; A active codes
    phones: tuple[str, ...]  # P
    best: np.ndarray  # (A,), row of the most frequent phone of each code
    num_codes: int  # codebook size K

    @property
    def fractions(self) -> np.ndarray:
        """Fraction of each phone among the frames of each code, (P, A)."""
        fractions: np.ndarray = self.table / self.table.sum(axis=0)
        return fractions

    @property
    def correct(self) -> np.ndarray:
        """The frames whose code predicts their phone, (P, A); zero elsewhere."""
        return np.where(np.arange(len(self.phones))[:, None] == self.best, self.table, 0)


def sorted_matrix(score: PurityScore) -> PhoneCodeMatrix:
    """Sort phones by manner of articulation, and codes by their most frequent phone, the purest first."""
    order = np.array(order_by_manner(score.phones, score.table.sum(axis=1)))
    table = score.table[order]
    table = table[:, table.any(axis=0)]
    best = table.argmax(axis=0)
    codes = np.lexsort((-table.max(axis=0) / table.sum(axis=0), best))
    return PhoneCodeMatrix(
        table[:, codes], tuple(score.phones[i] for i in order), best[codes], score.table.shape[1]
    )


def plot_matrix(figure: "Figure | SubFigure", matrix: PhoneCodeMatrix) -> None:
    """Plot the fraction of each phone in each code, and histograms of codes and phones along the edges."""
    axes = figure.subplots(2, 2, height_ratios=[1.0, 6.0], width_ratios=[12.0, 1.0])
    (above, corner), (middle, beside) = axes
    corner.axis("off")
    kept = np.sort(np.argsort(-matrix.table.sum(axis=1), kind="stable")[:MAX_PHONES])
    correct = matrix.correct
    _plot_bars(above, np.arange(matrix.table.shape[1]), matrix.table.sum(axis=0), correct.sum(axis=0))
    purity = f"phone purity {100 * correct.sum() / matrix.table.sum():.1f} %"
    active = f"{matrix.table.shape[1]} of {matrix.num_codes} codes active"
    set_panel_title(above, f"Phones by codes: {active}, {purity}")
    above.set_title("frames per code; blue: the code's most frequent phone", loc="right", color=FAINT)
    _plot_fractions(middle, matrix.fractions[kept])
    names = [drawable_text(matrix.phones[i]) for i in kept]
    middle.set_yticks(range(len(kept)), names, fontsize=10, parse_math=False)
    left_out = len(matrix.phones) - len(kept)
    rare = f"; {left_out} rare phones not shown" if left_out else ""
    middle.set_xlabel(
        f"codes, sorted by their most frequent phone; darker: larger fraction of the code's frames{rare}"
    )
    totals = matrix.table.sum(axis=1)[kept]
    _plot_bars(beside, np.arange(len(kept)), totals, correct.sum(axis=1)[kept], horizontal=True)
    beside.set_ylim(middle.get_ylim())
    beside.set_xlabel("frames")


def _plot_fractions(axes: "Axes", fractions: np.ndarray) -> None:
    """Plot fractions in [0, 1] from white to dark blue, with thin lines between the phones."""
    from matplotlib.colors import LinearSegmentedColormap

    colormap = LinearSegmentedColormap.from_list("fractions", _COLORMAP)
    axes.imshow(fractions, aspect="auto", cmap=colormap, vmin=0, vmax=1, interpolation="nearest")
    axes.set_yticks(np.arange(len(fractions) + 1) - 0.5, minor=True)
    axes.grid(axis="y", which="minor", color="#eef2f5", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    axes.set_xticks([])


def _plot_bars(
    axes: "Axes", at: np.ndarray, total: np.ndarray, correct: np.ndarray, *, horizontal: bool = False
) -> None:
    """Plot frames as bars, the correct ones in blue."""
    plot, width = (axes.barh, 0.8) if horizontal else (axes.bar, 1.0)
    plot(at, total, width, color=_WRONG)
    plot(at, correct, width, color=_CORRECT)
    axes.margins(0)
    axes.spines[["top", "right"]].set_visible(False)
    if horizontal:
        axes.set_yticks([])
        axes.locator_params(axis="x", nbins=2)
    else:
        axes.set_xticks([])
        axes.locator_params(axis="y", nbins=3)
