"""The table of conversions by source and target speaker."""

import math

from helpers.measurements import converted_utterance
from speechvq.report.speaker_pairs import PairCell, Speaker, speaker_pair_table


def test_medians_and_labels_by_speaker_pair() -> None:
    conversions = [
        converted_utterance("ann", "ben", 120.0, "target"),
        converted_utterance("ann", "ben", 100.0, "source"),
        converted_utterance("ann", "cay", math.nan, "other"),
        converted_utterance("dan", "cay", 170.0, "target", source_f0=math.nan),
        converted_utterance("ann", "ann", 205.0, "source"),
    ]
    table = speaker_pair_table(conversions)
    assert table.targets == [Speaker("ben", "110 Hz"), Speaker("cay", "165 Hz"), Speaker("ann", "210 Hz")]
    (ann, first), (dan, second) = table.rows
    assert (ann, dan) == (Speaker("ann", "210 Hz"), Speaker("dan", "- Hz"))  # a speaker without F0 comes last
    assert first == [
        PairCell("110 Hz", "target 1 of 2", 2),
        PairCell("no F0", "another 1 of 1", 0),
        PairCell("205 Hz", "source 1 of 1", 0),
    ]
    assert second == [None, PairCell("170 Hz", "target 1 of 1", 4), None]
