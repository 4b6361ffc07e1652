"""The table of conversions, speaker by speaker."""

import math

from speechvq.report.results import Heard
from speechvq.report.voices import Cell, Voice, voice_table


def test_a_table_of_hand_made_conversions() -> None:
    heard = [
        Heard("ann", "ben", 120.0, 210.0, 110.0, "target"),
        Heard("ann", "ben", 100.0, 210.0, 110.0, "source"),
        Heard("ann", "cay", math.nan, 210.0, 165.0, "other"),
        Heard("dan", "cay", 170.0, math.nan, 165.0, "target"),
        Heard("ann", "ann", 205.0, 210.0, 210.0, "source"),
    ]
    table = voice_table(heard)
    assert table.targets == [Voice("ben", "110 Hz"), Voice("cay", "165 Hz"), Voice("ann", "210 Hz")]
    (ann, first), (dan, second) = table.rows
    assert (ann, dan) == (Voice("ann", "210 Hz"), Voice("dan", "- Hz"))  # a whisperer comes last
    assert first == [
        Cell("110 Hz", "target 1 of 2", 2),
        Cell("no pitch", "another 1 of 1", 0),
        Cell("205 Hz", "source 1 of 1", 0),
    ]
    assert second == [None, Cell("170 Hz", "target 1 of 1", 4), None]
