"""The scoring benchmark runs at a small size and writes the printed rows as JSON."""

import json
from pathlib import Path

from helpers.tiny import python


def test_scoring_is_measured_at_a_small_size(tmp_path: Path) -> None:
    file = tmp_path / "scoring.json"
    process = python(
        "recipes/benchmark/scoring.py", "--frames", "2000", "4000", "--resamplings", "3", "--json", str(file)
    )
    printed, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    rows = json.loads(file.read_text())
    assert [row["frames"] for row in rows] == [2000, 4000] and len(printed.splitlines()) == 3
    for row in rows:
        assert 0 < row["start_mib"] <= row["peak_mib"] < 1000 and 0.4 < row["phone_purity"] < 0.7
