"""Sampled videos and their metrics on a page."""

import html
import json
from pathlib import Path

import numpy as np
import pytest

from cli.test_report import Tags
from helpers import measurements
from speechvq import report
from speechvq.evaluate.rollout.table import rollout_rows, rollout_title
from speechvq.plots.animation import save_gif
from speechvq.plots.image_grid import save_image_grid
from unit.report.test_report_images import make_run, without_rendering  # noqa: F401


def page(*arguments: str | Path) -> int:
    return report.main([str(argument) for argument in arguments])


def written(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def video(folder: Path) -> Path:
    frames = np.zeros((2, 8, 8, 3), np.uint8)
    save_image_grid(folder / "imagined.png", [frames.transpose(0, 3, 1, 2)])
    save_gif(folder / "imagined.gif", [frames])
    return folder


def test_videos_in_both_forms_and_their_metrics(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", "image_vqvae")
    result = measurements.rollout()
    videos = [word for name in ("forward", "right") for word in ("--imagined", video(tmp_path / name))]
    assert page("--run", folder, *videos, "--rollout", measurements.write(tmp_path / "a.json", result)) == 0
    text = (folder / "report.html").read_text()
    kinds = [source.partition(";")[0] for source in Tags(text).sources("img")]
    assert sorted(kinds) == ["data:image/gif"] * 2 + ["data:image/png"] * 3
    assert text.index(">forward<") < text.index(">right<") and "<b>exp" not in text
    shown = html.unescape(text)
    assert rollout_title(result) in shown
    for cell in (cell for rows in rollout_rows(result) for row in rows for cell in row):
        assert f">{cell}</t" in shown
    assert ">2.250<" in text and ">80<" in text and ">equal<" in text


def test_a_page_without_videos_has_no_section_for_them(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", "image_vqvae")
    assert page("--run", folder) == 0
    text = (folder / "report.html").read_text()
    assert "imagined" not in text and "Sampled videos" not in text


def test_mistakes_cost_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, good = make_run(tmp_path / "run", "image_vqvae"), measurements.rollout().to_json()
    text_in_place_of_a_number = good | {"bits": good["bits"] | {"uniform": "9"}}
    for flags, line in (
        (("--imagined", tmp_path), "imagined.png: no such video; give the folder that `python"),
        (("--rollout", tmp_path / "no.json"), "write it with `evaluate rollout --json"),
        (("--rollout", written(tmp_path / "a.json", good | {"bits": {}})), "the prior's values are missing"),
        (
            ("--rollout", written(tmp_path / "b.json", text_in_place_of_a_number)),
            "bits.uniform: expected a number",
        ),
        (("--rollout", written(tmp_path / "c.json", [1])), "not a result of `evaluate rollout`"),
    ):
        assert page("--run", folder, *flags) == 2
        error = capsys.readouterr().err
        assert line in error and error.count("\n") == 1
