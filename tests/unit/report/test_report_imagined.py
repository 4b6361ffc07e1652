"""Imagined videos and their measures on a page."""

import copy
import html
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.test_report import Tags
from speechvq import report
from speechvq.evaluate.rollout.table import rollout_rows, rollout_title
from speechvq.plots.animation import save_gif
from speechvq.plots.image_grid import save_image_grid
from unit.report.test_report_images import made, unrendered  # noqa: F401

NAMES = ("real", "reconstruction", "imagined")
FIGURES: dict[str, Any] = {
    "prior": "<b>exp", "data": "data/maze", "split": "test", "rollouts": 3, "frames": 4, "told": 6, "seed": 0,
    "temperature": 1.0, "windows": 5, "bits": {"uniform": 9.0, "<b>exp": 2.25},
    "quality": {"1": {"imagined": {"psnr": 17.5, "ssim": 0.4}, "last frame": {"psnr": None, "ssim": 1.0}}},
    "actions": {"4": {"real": 0.9, "reconstruction": 0.8, "imagined": 0.72, "majority": 0.3, "pairs": 12}},
    "sharpness": {
        "by_frame": {name: [12.0, 11.0] for name in NAMES}, "last_to_first": dict.fromkeys(NAMES, 0.917)
    },
}  # fmt: skip


def page(*arguments: str | Path) -> int:
    return report.main([str(argument) for argument in arguments])


def written(path: Path, figures: Any) -> Path:
    path.write_text(json.dumps(figures))
    return path


def video(folder: Path) -> Path:
    frames = np.zeros((2, 8, 8, 3), np.uint8)
    save_image_grid(folder / "imagined.png", [frames.transpose(0, 3, 1, 2)])
    save_gif(folder / "imagined.gif", [frames])
    return folder


def test_videos_in_both_forms_and_what_was_printed(tmp_path: Path) -> None:
    folder = made(tmp_path / "run", "image_vqvae")
    videos = [word for name in ("forward", "right") for word in ("--imagined", video(tmp_path / name))]
    assert page("--run", folder, *videos, "--rollout", written(tmp_path / "a.json", FIGURES)) == 0
    text = (folder / "report.html").read_text()
    kinds = [source.partition(";")[0] for source in Tags(text).sources("img")]
    assert sorted(kinds) == ["data:image/gif"] * 2 + ["data:image/png"] * 3
    assert text.index(">forward<") < text.index(">right<") and "<b>exp" not in text
    shown = html.unescape(text)
    assert rollout_title(FIGURES) in shown
    for cell in (cell for rows in rollout_rows(FIGURES) for row in rows for cell in row):
        assert f">{cell}</t" in shown
    assert ">2.250<" in text and ">80 %<" in text and ">equal<" in text


def test_a_page_without_them_says_nothing_of_them(tmp_path: Path) -> None:
    folder = made(tmp_path / "run", "image_vqvae")
    assert page("--run", folder) == 0 and "imagined" not in (folder / "report.html").read_text()


def test_mistakes_cost_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, other = made(tmp_path / "run", "image_vqvae"), copy.deepcopy(FIGURES)
    other["bits"]["uniform"] = "9"
    for flags, line in (
        (("--imagined", tmp_path), "imagined.png: no such video; give what `python -m speechvq.imagine"),
        (("--rollout", tmp_path / "no.json"), "write it with `evaluate rollout --json"),
        (("--rollout", written(tmp_path / "a.json", FIGURES | {"bits": {}})), "not the numbers that `ev"),
        (("--rollout", written(tmp_path / "b.json", other)), "not the numbers"),
        (("--rollout", written(tmp_path / "c.json", [1])), "not the numbers"),
    ):
        assert page("--run", folder, *flags) == 2
        error = capsys.readouterr().err
        assert line in error and error.count("\n") == 1
