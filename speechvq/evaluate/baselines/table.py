"""Baselines as text: a table for each protocol, a row for each kind of units, mean and spread over seeds."""

import math
from collections.abc import Mapping, Sequence

from speechvq.cli.tables import align
from speechvq.metrics.units.baselines import SeedStatistics, mean_over_seeds

Figures = Mapping[str, "float | int | None"]
Scores = Mapping[str, Mapping[str, Sequence[Figures]]]  # by protocol and name, one for each seed

COLUMNS = {  # header: figure, what it is multiplied by, decimals
    "phone purity %": ("phone_purity", 100, 2),
    "held-out %": ("phone_purity_heldout", 100, 2),
    "cluster purity %": ("cluster_purity", 100, 2),
    "PNMI": ("pnmi", 1, 3),
    "codes used": ("active_codes", 1, 0),
    "perplexity": ("perplexity", 1, 1),
    "bit/s": ("bitrate_entropy", 1, 1),
}


def baseline_table(scores: Scores) -> str:
    """Every protocol's table, under a line of what was scored."""
    return "\n\n".join(_protocol(name, rows) for name, rows in scores.items())


def _protocol(protocol: str, scores: Mapping[str, Sequence[Figures]]) -> str:
    first = next(iter(scores.values()))[0]
    title = (
        f"{protocol.replace('_', ' ')}: {first['frames']} frames of {first['num_phones']} phones, "
        f"{first['dropped_frames']} left out"
    )
    rows = [["", *COLUMNS]]
    for name, figures in scores.items():
        spread = mean_over_seeds(figures)
        rows.append([name, *(cell(spread[key], scale, digits) for key, scale, digits in COLUMNS.values())])
    return f"{title}\n{align(rows, left=1)}"


def cell(spread: SeedStatistics, scale: float, digits: int) -> str:
    """Mean and deviation as text, for example "41.9 ± 0.2", or "-" where there is no figure."""
    if not math.isfinite(spread.mean):
        return "-"
    deviation = f" ± {scale * spread.std:.{digits}f}" if math.isfinite(spread.std) else ""
    return f"{scale * spread.mean:.{digits}f}{deviation}"
