"""The page of an image run: image grids, the bound under each prior, its own text and curves."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from cli.test_report import Tags
from helpers import measurements
from helpers.image_data import CONFIGS, run_of
from speechvq import config as configuration
from speechvq import report
from speechvq.plots.image_grid import save_image_grid
from speechvq.report.run_kind import IMAGE_CODES, IMAGES, PRIOR, SECOND_STAGE, SPEECH, run_kind_of
from speechvq.results.likelihood import SecondStageResult

LINE = {"step": 20, "heldout_bits": 7.5, "heldout_reconstruction_bits": 5.625, "heldout_latents_bits": 1.875}


@pytest.fixture(autouse=True)
def without_rendering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the layout of the training curve and write a placeholder instead of rendering it."""

    def save(figure: Figure, path: Path, *, num_colors: int = 256) -> None:
        assert all(axes.lines for axes in figure.axes if axes.axison)
        save_image_grid(path, [np.zeros((1, 3, 8, 8), np.uint8)])

    monkeypatch.setattr("speechvq.plots.training_curve.save_figure", save)


def make_run(folder: Path, kind: str) -> Path:
    """A run directory with metrics."""
    folder.mkdir(parents=True)
    configuration.save(folder / "config.yaml", run_of(kind, folder))
    lines = [{"step": 10, "nats": 4.0, "perplexity": 12.0}, LINE]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def page(*arguments: str | Path) -> int:
    return report.main([str(argument) for argument in arguments])


def likelihood_file(path: Path, **changes: object) -> Path:
    result = dataclasses.replace(measurements.likelihood(), **changes)  # type: ignore[arg-type]
    return measurements.write(path, result)


def edited(path: Path, **changes: object) -> Path:
    """A result with some JSON values replaced."""
    path.write_text(json.dumps(measurements.likelihood().to_json() | changes))
    return path


@pytest.mark.parametrize("kind", CONFIGS)
def test_an_image_run(kind: str, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", kind)
    assert page("--run", folder) == 0
    text = (folder / "report.html").read_text()
    assert len(Tags(text).sources("img")) == 1 and "7.500 bits/dim" in text and "waveform" not in text
    assert ('href="#images"' in text) == ('href="#likelihood"' in text) is False
    row = np.zeros((3, 3, 8, 8), np.uint8)
    save_image_grid(folder / "reconstructions.png", [row, row])
    assert page("--run", folder, "--likelihood", likelihood_file(tmp_path / "a.json", samples=50)) == 0
    text = (folder / "report.html").read_text()
    assert len(Tags(text).sources("img")) == 2 and "<h3>Samples" not in text
    for expected in ("7.500 ± 0.012", "5.625", "1,500 held-out images", "with 50 samples", "4.67 (VQ-VAE)"):
        assert expected in text


def test_grids_from_another_folder_and_a_second_stage(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", "image_vqvae")
    for name in ("reconstructions", "samples"):
        save_image_grid(tmp_path / f"drawn/{name}.png", [np.zeros((2, 3, 8, 8), np.uint8)])
    stage = SecondStageResult(3, 27.0, 3.25, 4.5, 1.25, 0.01)
    scores = likelihood_file(tmp_path / "a.json", second_stage=stage)
    assert page("--run", folder, "--pictures", tmp_path / "drawn", "--likelihood", scores) == 0
    text = (folder / "report.html").read_text()
    assert len(Tags(text).sources("img")) == 3 and "<h3>Samples" in text
    shown = " ".join(text.split())
    assert "27 bits per image: 3.250 bits per code" in shown and "4.500 given another" in shown


def test_mistakes_cost_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_run(tmp_path / "run", "image_vae")
    for flags, line in (
        (
            ("--pictures", tmp_path),
            "no reconstructions.png here; give the folder that `python -m speechvq.draw --out` made",
        ),
        (("--likelihood", tmp_path / "no.json"), "write it with `evaluate likelihood --json"),
        (
            ("--likelihood", folder / "metrics.jsonl"),
            "not a result of `evaluate likelihood`",
        ),
        (("--likelihood", edited(tmp_path / "a.json", under={"uniform": {}})), "bits_per_dim is missing"),
        (("--likelihood", edited(tmp_path / "b.json", second_stage=[1])), "second_stage: expected keys and"),
    ):
        assert page("--run", folder, *flags) == 2
        error = capsys.readouterr().err
        assert line in error and error.count("\n") == 1


def test_the_model_kind_selects_the_run_kind() -> None:
    kinds = {"image_vae": IMAGES, "image_vimco": IMAGES, "image_vqvae": IMAGE_CODES, "pixelcnn": PRIOR}
    for kind, expected in (kinds | {"second_stage": SECOND_STAGE, "sequence": PRIOR}).items():
        assert run_kind_of({"model": {"kind": kind}}) is expected
    for other in ({}, {"model": None}, {"model": {"kind": ["image_vae"]}}, {"model": {"hop": 64}}):
        assert run_kind_of(other) is SPEECH
