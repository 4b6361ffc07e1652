"""The table of conversions, speaker by speaker: the pitch that was reached, and whose voice is heard."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from speechvq.evaluate.tables import number
from speechvq.report.results import Heard

SHADES = 4  # of the colour of a cell, above none


@dataclass(frozen=True)
class Voice:
    """A speaker, and the pitch of the speaker's recordings."""

    name: str
    pitch: str


@dataclass(frozen=True)
class Cell:
    """What became of one speaker's sentences in the voice of another."""

    pitch: str  # median over the sentences, for example "171 Hz"
    heard: str  # for example "target 2 of 3"
    shade: int  # 0 to SHADES: the share in which the target was heard


@dataclass(frozen=True)
class VoiceTable:
    """Sources by rows, targets by columns, both from the lowest voice to the highest."""

    targets: list[Voice]
    rows: list[tuple[Voice, list[Cell | None]]]  # None: not converted


def voice_table(heard: Sequence[Heard]) -> VoiceTable:
    """The table of all conversions."""
    sources = {each.source: each.source_hertz for each in heard}
    targets = {each.target: each.target_hertz for each in heard}
    pairs: dict[tuple[str, str], list[Heard]] = {}
    for each in heard:
        pairs.setdefault((each.source, each.target), []).append(each)
    columns = _by_pitch(targets)
    rows = [
        (row, [_cell(pairs.get((row.name, column.name), [])) for column in columns])
        for row in _by_pitch(sources)
    ]
    return VoiceTable(columns, rows)


def _by_pitch(speakers: dict[str, float]) -> list[Voice]:
    whispers = [name for name in sorted(speakers) if math.isnan(speakers[name])]
    order = sorted(speakers.keys() - set(whispers), key=lambda name: (speakers[name], name)) + whispers
    return [Voice(name, _hertz(speakers[name])) for name in order]


def _cell(heard: Sequence[Heard]) -> Cell | None:
    if not heard:
        return None
    pitches = [each.hertz for each in heard if math.isfinite(each.hertz)]
    votes = [each.vote for each in heard]
    won = votes.count("target")
    likeliest = "target" if won else "source" if "source" in votes else "another"
    count = won or votes.count("source") or len(votes)
    return Cell(
        _hertz(median(pitches)) if pitches else "no pitch",
        f"{likeliest} {count} of {len(votes)}",
        round(SHADES * won / len(votes)),
    )


def _hertz(value: float) -> str:
    return f"{number(value, 0)} Hz"
