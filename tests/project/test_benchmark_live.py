"""The benchmark of live conversion runs, and its numbers have the expected names."""

import sys
from pathlib import Path

import pytest

from helpers.live_model import live_model, speech
from helpers.tiny import ROOT

sys.path.insert(0, str(ROOT / "recipes/benchmark"))
import live
import live_memory
import table


def test_the_blocks_of_a_stream_are_timed() -> None:
    part = live.measure_blocks(live_model(), speech(0.5))
    assert part["blocks"] == 25 and 0 < part["p50_ms"] <= part["p99_ms"] <= part["longest_ms"]
    assert part["real_time_factor"] > 0 and 0 < part["first_sound_s"] < 60
    line = table.table({"ratios": {}, "live": part | {"model": "m"}, "live_p99_ms": part["p99_ms"]})
    assert "live conversion in blocks of 20 ms: p50_ms " in line


def test_the_start_of_the_command_is_timed(tmp_path: Path) -> None:
    live_model().save_pretrained(tmp_path / "live")
    found = live.measure_start(str(tmp_path / "live"), "ada")
    assert found["start_s"] > 0 and found["start_processor_s"] > 0


def test_a_model_without_limits_is_given_some(tmp_path: Path) -> None:
    model = live_model()
    model.save_pretrained(tmp_path / "live")
    again, name = live.streamable_model(str(tmp_path / "live"))
    assert name == str(tmp_path / "live") and again.config == model.config
    text = (tmp_path / "live/config.yaml").read_text()
    (tmp_path / "live/config.yaml").write_text(text.replace("lookahead_frames: 2", "lookahead_frames: -1"))
    changed, name = live.streamable_model(str(tmp_path / "live"))
    assert "not trained with" in name and changed.config.encoder.lookahead_frames == 2
    assert changed.stream("ada").latency_ms == pytest.approx(71)


@pytest.mark.skipif(not live_memory.STATM.exists(), reason="the script reads Linux's /proc")
def test_the_resident_memory_of_a_long_stream_is_flat() -> None:
    """Half a minute in all. One array of a frame's samples that stayed of each block would be 0.8 MB."""
    states = list(live_memory.minutes(live_model(), speech(6.0), 5))
    assert states[0].resident_mib > 10 and all(state.real_time_factor > 0 for state in states)
    assert states[-1].resident_mib - states[0].resident_mib < 0.7, states
