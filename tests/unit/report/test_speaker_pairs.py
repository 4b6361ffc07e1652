"""The table of conversions, speaker by speaker."""

import math

from speechvq.report.results import Heard
from speechvq.report.speaker_pairs import PairCell, Speaker, speaker_pair_table


def test_a_table_of_hand_made_conversions() -> None:
    heard = [
        Heard("ann", "ben", 120.0, 210.0, 110.0, "target"),
        Heard("ann", "ben", 100.0, 210.0, 110.0, "source"),
        Heard("ann", "cay", math.nan, 210.0, 165.0, "other"),
        Heard("dan", "cay", 170.0, math.nan, 165.0, "target"),
        Heard("ann", "ann", 205.0, 210.0, 210.0, "source"),
    ]
    table = speaker_pair_table(heard)
    assert table.targets == [Speaker("ben", "110 Hz"), Speaker("cay", "165 Hz"), Speaker("ann", "210 Hz")]
    (ann, first), (dan, second) = table.rows
    assert (ann, dan) == (Speaker("ann", "210 Hz"), Speaker("dan", "- Hz"))  # a whisperer comes last
    assert first == [
        PairCell("110 Hz", "target 1 of 2", 2),
        PairCell("no pitch", "another 1 of 1", 0),
        PairCell("205 Hz", "source 1 of 1", 0),
    ]
    assert second == [None, PairCell("170 Hz", "target 1 of 1", 4), None]
