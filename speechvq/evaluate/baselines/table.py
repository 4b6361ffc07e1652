"""Purity of units and their baselines as text: a table per protocol, mean and deviation over seeds."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from speechvq.cli.tables import align
from speechvq.metrics.units.baselines import SeedStatistics, mean_over_seeds
from speechvq.results.units import PROTOCOLS, PurityMetrics

COLUMNS = {  # heading: metric, factor, decimals
    "phone purity (%) ↑": ("phone_purity", 100, 2),
    "held out (%) ↑": ("phone_purity_heldout", 100, 2),
    "cluster purity (%) ↑": ("cluster_purity", 100, 2),
    "PNMI ↑": ("pnmi", 1, 3),
    "active codes": ("active_codes", 1, 0),
    "perplexity": ("perplexity", 1, 1),
    "bit rate (bit/s)": ("bitrate_entropy", 1, 1),
}


def baseline_table(protocols: Mapping[str, Mapping[str, Sequence[PurityMetrics]]]) -> str:
    """A table per protocol and a row per kind of units.

    Args:
        protocols: metrics by protocol and units, one per seed.
    """
    return "\n\n".join(_protocol_table(name, units) for name, units in protocols.items())


def spread(seeds: Sequence[PurityMetrics]) -> dict[str, SeedStatistics]:
    """Mean and standard deviation of each metric over seeds."""
    return mean_over_seeds([dataclasses.asdict(each) for each in seeds])


def cell(value: SeedStatistics, scale: float, digits: int) -> str:
    """Mean and standard deviation as text, for example "41.9 ± 0.2"; "-" for an undefined metric."""
    if not math.isfinite(value.mean):
        return "-"
    deviation = f" ± {scale * value.std:.{digits}f}" if math.isfinite(value.std) else ""
    return f"{scale * value.mean:.{digits}f}{deviation}"


def _protocol_table(protocol: str, units: Mapping[str, Sequence[PurityMetrics]]) -> str:
    first = next(iter(units.values()))[0]
    title = (
        f"{PROTOCOLS[protocol]}: {first.frames} frames of {first.num_phones} phones, "
        f"{first.dropped_frames} left out"
    )
    rows = [["", *COLUMNS]]
    for name, seeds in units.items():
        values = spread(seeds)
        rows.append([name, *(cell(values[key], scale, digits) for key, scale, digits in COLUMNS.values())])
    return f"{title}\n{align(rows, left=1)}"
