"""A file of 100,000 labels took 30 s to plot, control characters led to warnings of the plotting library, and
`report` had written curve.png before it refused a damaged alignment.
"""

import json
import time
from pathlib import Path

import numpy as np
import pytest

from speechvq import evaluate, report
from speechvq.alignment.intervals import Interval, read_lab, write_lab
from speechvq.errors import UserError
from speechvq.metrics.units.boundaries import boundary_errors
from speechvq.plots.conversion import conversion_figure
from speechvq.plots.panels import drawable_text


def dense_labels(count: int, seconds: float) -> list[Interval]:
    cuts = np.linspace(0, seconds, count + 1).tolist()
    return [Interval(a, b, f"P{i % 40}") for i, (a, b) in enumerate(zip(cuts, cuts[1:]))]


def test_a_strip_of_100_000_labels_is_drawn_in_seconds() -> None:
    """Processor time, for the machine may be shared."""
    started = time.process_time()
    conversion_figure(np.zeros(64_000, np.float32), None, {}, title="a", phones=dense_labels(100_000, 4.0))
    assert time.process_time() - started < 15


def write_codes(folder: Path, frames: int) -> Path:
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"frame_rate_hz": 50, "num_codes": 100}))
    np.save(folder / "u.npy", np.random.default_rng(0).integers(100, size=frames))
    return folder


@pytest.mark.parametrize(("distinct", "code"), [(False, 0), (True, 2)])
def test_purity_of_100_000_labels_takes_seconds(distinct: bool, code: int, tmp_path: Path) -> None:
    labels = dense_labels(100_000, 5_000.0)
    if distinct:
        labels = [Interval(each.start, each.end, f"w{i}") for i, each in enumerate(labels)]
    write_lab(tmp_path / "lab/u.lab", labels)
    codes = write_codes(tmp_path / "codes", 250_000)
    started = time.process_time()
    assert evaluate.main(["purity", "--codes", str(codes), "--alignments", str(tmp_path / "lab")]) == code
    assert time.process_time() - started < 15


def test_boundaries_of_too_many_labels_are_refused_before_memory_is_taken() -> None:
    labels = dense_labels(100_000, 5_000.0)
    with pytest.raises(UserError, match="100000 phones against 100000: too many for one recording"):
        boundary_errors(labels, labels)


def test_control_characters_are_drawn_as_escapes() -> None:
    assert drawable_text("AH \u0251\u02d0") == "AH \u0251\u02d0"
    assert drawable_text("a\x07b\n\u65e5") == r"a\x07b\n\u65e5"


@pytest.mark.filterwarnings("error")
def test_control_characters_lead_to_no_warning(tmp_path: Path) -> None:
    write_lab(
        tmp_path / "lab/u.lab", [Interval(0, 1, "\x07\x1b"), Interval(1, 2, "\u65e5"), Interval(2, 4, "AA")]
    )
    codes = write_codes(tmp_path / "codes", 200)
    flags = ["--codes", str(codes), "--alignments", str(tmp_path / "lab"), "--plot", str(tmp_path / "a.png")]
    assert evaluate.main(["purity", *flags]) == 0
    assert (tmp_path / "a.png").stat().st_size > 1_000
    assert read_lab(tmp_path / "lab/u.lab")[0].phone == "\x07\x1b"


def test_report_writes_nothing_if_an_input_is_damaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text("model: {kind: speech}\n")
    (run / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.0}\n')
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/u.lab").write_text("0 10 AA\n20 15 B\n")
    flags = ["--codes", str(write_codes(tmp_path / "codes", 50)), "--alignments", str(tmp_path / "lab")]
    assert report.main(["--run", str(run), *flags]) == 2
    error = capsys.readouterr().err
    assert "u.lab, line 2" in error and error.count("\n") == 1
    assert sorted(path.name for path in run.iterdir()) == ["config.yaml", "metrics.jsonl"]
    (tmp_path / "lab/u.lab").write_text("0 9000000 AA\n")
    assert report.main(["--run", str(run), *flags]) == 0
    assert {"curve.png", "units.png", "report.html"} <= {path.name for path in run.iterdir()}
