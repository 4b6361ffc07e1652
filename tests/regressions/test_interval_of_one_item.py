"""One utterance got an interval of zero width, "9.1 to 9.1", as if its value were certain."""

import dataclasses
import math

import numpy as np

from helpers.measurements import conversions, stages
from speechvq.alignment.intervals import Interval
from speechvq.cli.tables import interval
from speechvq.evaluate.alignments import alignments_table
from speechvq.evaluate.conversion.table import summary_cells
from speechvq.evaluate.prior import prior_table
from speechvq.evaluate.stages.table import stages_table
from speechvq.metrics.stages import estimate_stage
from speechvq.metrics.summary import summarize_metric
from speechvq.metrics.units.boundaries import BoundaryErrors, summarize_boundaries
from speechvq.metrics.units.code_length import code_length
from speechvq.metrics.units.codebook import score_codebook
from speechvq.metrics.units.purity import LabeledCodes, score_purity
from speechvq.results.alignments import AlignmentsResult
from speechvq.results.prior import PriorResult

CODES = np.arange(40) % 7
PHONES = [Interval(0.02 * i, 0.02 * (i + 1), "ab"[i % 2]) for i in range(40)]


def test_units_of_one_utterance_have_no_interval() -> None:
    assert set(score_codebook([CODES], 8, 50).intervals.values()) == {None}
    purity = score_purity([LabeledCodes(CODES, PHONES, "ada")], 8, 50)
    assert all(set(score.intervals.values()) == {None} for score in purity.values())
    assert interval(None) == "-"


def test_tables_show_a_missing_interval() -> None:
    assert summary_cells(summarize_metric("x", "x", "dB", [9.1]))[:3] == ["9.1", "-", "1"]
    assert summary_cells(conversions().summary["log_mel_distance_db"])[1] == "5.2 to 7.3"
    length = code_length([np.ones(4)], 50)
    models = {"prior": length, "unigram": length, "bigram": length, "trigram": length}
    assert " -  " in prior_table(PriorResult("test", 1, 4, models)).splitlines()[2]
    errors = BoundaryErrors(np.array([0.01, 0.02]), np.array([0.1, 0.1]), 3)
    metrics = {each.name: each for each in summarize_boundaries([errors])}
    assert all(math.isnan(each.low) for each in metrics.values())
    table = alignments_table(AlignmentsResult(1, 0, 3, 2, metrics), extra=0)
    assert " to " not in "".join(table.splitlines()[1:5])
    result = stages()
    scores = estimate_stage([[{"dnsmos_overall": 3.25}]])
    one = dataclasses.replace(result, stages=[dataclasses.replace(result.stages[0], metrics=scores)])
    assert "3.25 (-)" in stages_table(dataclasses.replace(one, differences=[]))
