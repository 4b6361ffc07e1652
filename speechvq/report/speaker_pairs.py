"""The table of conversions, speaker by speaker: the pitch that was reached, and whose voice is heard."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from speechvq.cli.tables import number
from speechvq.report.results import Heard

SHADES = 4  # of the colour of a cell, above none


@dataclass(frozen=True)
class Speaker:
    """A speaker, and the pitch of the speaker's recordings."""

    name: str
    f0: str


@dataclass(frozen=True)
class PairCell:
    """What became of one speaker's sentences in the voice of another."""

    f0: str  # median over the sentences, for example "171 Hz"
    recognized_as: str  # for example "target 2 of 3"
    shade: int  # 0 to SHADES: the share in which the target was heard


@dataclass(frozen=True)
class SpeakerPairTable:
    """Sources by rows, targets by columns, both from the lowest voice to the highest."""

    targets: list[Speaker]
    rows: list[tuple[Speaker, list[PairCell | None]]]  # None: not converted


def speaker_pair_table(heard: Sequence[Heard]) -> SpeakerPairTable:
    """The table of all conversions."""
    sources = {each.source: each.source_hertz for each in heard}
    targets = {each.target: each.target_hertz for each in heard}
    pairs: dict[tuple[str, str], list[Heard]] = {}
    for each in heard:
        pairs.setdefault((each.source, each.target), []).append(each)
    columns = _by_f0(targets)
    rows = [
        (row, [_cell(pairs.get((row.name, column.name), [])) for column in columns])
        for row in _by_f0(sources)
    ]
    return SpeakerPairTable(columns, rows)


def _by_f0(speakers: dict[str, float]) -> list[Speaker]:
    whispers = [name for name in sorted(speakers) if math.isnan(speakers[name])]
    order = sorted(speakers.keys() - set(whispers), key=lambda name: (speakers[name], name)) + whispers
    return [Speaker(name, _hertz(speakers[name])) for name in order]


def _cell(heard: Sequence[Heard]) -> PairCell | None:
    if not heard:
        return None
    pitches = [each.hertz for each in heard if math.isfinite(each.hertz)]
    votes = [each.vote for each in heard]
    won = votes.count("target")
    likeliest = "target" if won else "source" if "source" in votes else "another"
    count = won or votes.count("source") or len(votes)
    return PairCell(
        _hertz(median(pitches)) if pitches else "no pitch",
        f"{likeliest} {count} of {len(votes)}",
        round(SHADES * won / len(votes)),
    )


def _hertz(value: float) -> str:
    return f"{number(value, 0)} Hz"
