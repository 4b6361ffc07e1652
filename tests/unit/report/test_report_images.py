"""The page of an image run: its grids, its bound under each prior, its own words and curves."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from cli.test_report import Tags
from helpers.image_data import CONFIGS, run_of
from speechvq import config as configuration
from speechvq import report
from speechvq.plots.image_grid import save_image_grid
from speechvq.report.run_kind import IMAGE_CODES, IMAGES, PRIOR, SECOND_STAGE, SPEECH, run_kind_of

LINE = {"step": 20, "heldout_bits": 7.5, "heldout_reconstruction_bits": 5.625, "heldout_latents_bits": 1.875}
UNDER = {"bits_per_dim": 7.5, "standard_error": 0.0121, "reconstruction": 5.625, "latents": 1.875}


@pytest.fixture(autouse=True)
def unrendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The curve is laid out and not rendered."""

    def save(figure: Figure, path: Path, *, num_colors: int = 256) -> None:
        assert all(axes.lines for axes in figure.axes if axes.axison)
        save_image_grid(path, [np.zeros((1, 3, 8, 8), np.uint8)])

    monkeypatch.setattr("speechvq.plots.training_curve.save_figure", save)


def made(folder: Path, kind: str) -> Path:
    """A run directory with metrics."""
    folder.mkdir(parents=True)
    configuration.save(folder / "config.yaml", run_of(kind, folder))
    lines = [{"step": 10, "nats": 4.0, "perplexity": 12.0}, LINE]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def page(*arguments: str | Path) -> int:
    return report.main([str(argument) for argument in arguments])


def measured(path: Path, **more: Any) -> Path:
    path.write_text(json.dumps({"images": 1500, "under": {"uniform": UNDER, "fitted": UNDER}} | more))
    return path


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_run_of_pictures(kind: str, tmp_path: Path) -> None:
    folder = made(tmp_path / "run", kind)
    assert page("--run", folder) == 0
    text = (folder / "report.html").read_text()
    assert len(Tags(text).sources("img")) == 1 and "7.500 bits/dim" in text and "speaks" not in text
    assert ('href="#pictures"' in text) == ('href="#likelihood"' in text) is False
    row = np.zeros((3, 3, 8, 8), np.uint8)
    save_image_grid(folder / "reconstructions.png", [row, row])
    assert page("--run", folder, "--likelihood", measured(tmp_path / "a.json", samples=50)) == 0
    text = (folder / "report.html").read_text()
    assert len(Tags(text).sources("img")) == 2 and "Out of nothing" not in text
    for said in ("7.500 ± 0.012", "5.625", "1,500 held-out pictures", "with 50 samples", "4.67 (VQ-VAE)"):
        assert said in text


def test_grids_from_another_folder_and_a_second_stage(tmp_path: Path) -> None:
    folder = made(tmp_path / "run", "image_vqvae")
    for name in ("reconstructions", "samples"):
        save_image_grid(tmp_path / f"drawn/{name}.png", [np.zeros((2, 3, 8, 8), np.uint8)])
    stage = {"latent_bits": 27.0, "bits_a_code": 3.25, "shuffled_bits_a_code": 4.5}
    told = measured(tmp_path / "a.json", second_stage=stage)
    assert page("--run", folder, "--pictures", tmp_path / "drawn", "--likelihood", told) == 0
    text = (folder / "report.html").read_text()
    assert len(Tags(text).sources("img")) == 3 and "Out of nothing" in text
    assert "27 bits a picture: 3.250 bits a code" in text and "4.500 with another" in text


def test_mistakes_cost_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = made(tmp_path / "run", "image_vae")
    for flags, line in (
        (
            ("--pictures", tmp_path),
            "no reconstructions.png here; give what `python -m speechvq.draw --out` made",
        ),
        (("--likelihood", tmp_path / "no.json"), "write it with `evaluate likelihood --json"),
        (
            ("--likelihood", folder / "metrics.jsonl"),
            "not the numbers that `evaluate likelihood --json` writes",
        ),
        (("--likelihood", measured(tmp_path / "a.json", under={"uniform": {}})), "not the numbers"),
        (("--likelihood", measured(tmp_path / "b.json", second_stage=[1])), "not the numbers"),
    ):
        assert page("--run", folder, *flags) == 2
        error = capsys.readouterr().err
        assert line in error and error.count("\n") == 1


def test_the_subject_is_told_by_the_kind() -> None:
    told = {"image_vae": IMAGES, "image_vimco": IMAGES, "image_vqvae": IMAGE_CODES, "pixelcnn": PRIOR}
    for kind, subject in (told | {"second_stage": SECOND_STAGE, "sequence": PRIOR}).items():
        assert run_kind_of({"model": {"kind": kind}}) is subject
    for other in ({}, {"model": None}, {"model": {"kind": ["image_vae"]}}, {"model": {"hop": 64}}):
        assert run_kind_of(other) is SPEECH
