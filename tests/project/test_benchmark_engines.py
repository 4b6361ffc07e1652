"""The benchmark of engines and graphs runs at a small size, and its numbers have the expected names."""

import sys

import pytest

from helpers.tiny import ROOT, speech_model

sys.path.insert(0, str(ROOT / "recipes/benchmark"))
import engines
import table


def test_engines_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "SECONDS", 0.05)
    monkeypatch.setattr(engines, "WAIT", 0.005)
    part = engines.measure(speech_model(), ["local"], [1], recordings=4, items=100, waiting=(1,), waits=8)
    assert part["local 1"].keys() == {"first_result_s", "x_real_time"} and part["local 1"]["x_real_time"] > 0
    assert 0 < part["local"]["microseconds_an_utterance"] < 1_000
    assert 0 < part["local"]["efficiency_of_waiting_workers"]["1"] <= 1
    assert "engine local 1: first_result_s " in table.table({"ratios": {}, "engines": part})
    assert engines.worker_counts()[0] == 1


def test_writing_is_measured() -> None:
    written = engines.measure_writing(count=3, frames=10)
    assert all(microseconds > 0 for microseconds in written.values()) and "npy" in written
