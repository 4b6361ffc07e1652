"""The table of conversions by source and target speaker: median F0 and speaker classification."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from speechvq.cli.tables import number
from speechvq.results.conversion import ConvertedUtterance

SHADES = 4  # background colors of a cell, beside none


@dataclass(frozen=True)
class Speaker:
    """A speaker and the median F0 of the speaker's recordings."""

    name: str
    f0: str  # for example "171 Hz"


@dataclass(frozen=True)
class PairCell:
    """The conversions of one source speaker to one target speaker."""

    f0: str  # median over the conversions
    recognized_as: str  # for example "target 2 of 3"
    shade: int  # 0 to SHADES: the fraction of conversions classified as the target


@dataclass(frozen=True)
class SpeakerPairTable:
    """Source speakers by rows and target speakers by columns, both in ascending order of F0."""

    targets: list[Speaker]
    rows: list[tuple[Speaker, list[PairCell | None]]]  # None: no such conversion


def speaker_pair_table(conversions: Sequence[ConvertedUtterance]) -> SpeakerPairTable:
    """The table of all conversions."""
    sources = {each.source: each.metrics.source_speaker_f0_hz for each in conversions}
    targets = {each.target: each.metrics.target_speaker_f0_hz for each in conversions}
    pairs: dict[tuple[str, str], list[ConvertedUtterance]] = {}
    for each in conversions:
        pairs.setdefault((each.source, each.target), []).append(each)
    columns = _by_f0(targets)
    rows = [
        (row, [_cell(pairs.get((row.name, column.name), [])) for column in columns])
        for row in _by_f0(sources)
    ]
    return SpeakerPairTable(columns, rows)


def _by_f0(speakers: dict[str, float]) -> list[Speaker]:
    """Speakers in ascending order of F0; those without F0 (whispered speech) last."""
    unvoiced = [name for name in sorted(speakers) if math.isnan(speakers[name])]
    order = sorted(speakers.keys() - set(unvoiced), key=lambda name: (speakers[name], name)) + unvoiced
    return [Speaker(name, _hertz(speakers[name])) for name in order]


def _cell(conversions: Sequence[ConvertedUtterance]) -> PairCell | None:
    if not conversions:
        return None
    f0s = [f0 for each in conversions if math.isfinite(f0 := each.metrics.converted_f0_hz)]
    labels = [each.metrics.classified_as for each in conversions]
    as_target = labels.count("target")
    shown = "target" if as_target else "source" if "source" in labels else "another"
    count = as_target or labels.count("source") or len(labels)
    return PairCell(
        _hertz(median(f0s)) if f0s else "no F0",
        f"{shown} {count} of {len(labels)}",
        round(SHADES * as_target / len(labels)),
    )


def _hertz(value: float) -> str:
    return f"{number(value, 0)} Hz"
