"""Commands on image models, priors over grids and the second stage; errors are named."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.image_data import CONFIGS, SIZE, SIZES, model_of, prepared, run_of
from speechvq import config as configuration
from speechvq import draw, train
from speechvq.config import QuantizerConfig, TrainConfig
from speechvq.config.pixelcnn import GridDataConfig, PixelCNNConfig, SecondStageConfig
from speechvq.config.runs import PixelCNNRun, SecondStageRun
from speechvq.errors import UserError
from speechvq.evaluate import likelihood
from speechvq.images.codes import cached_codes, encode_images, fingerprint, require_codes
from speechvq.images.dataset import read_images
from speechvq.images.model_directory import load_image_model, save_image_model
from speechvq.images.second_stage import SecondStage, latent_usage_nll, load_second_stage
from speechvq.io.tensors import read_tensors
from speechvq.io.yaml_files import read_yaml, write_yaml
from speechvq.plots.image_grid import tile
from speechvq.priors.grid.pixelcnn import Grid
from speechvq.priors.grid.prior import GridPrior, load_grid_prior, save_grid_prior
from speechvq.results.likelihood import LikelihoodResult
from speechvq.training.checkpoint import list_checkpoints
from speechvq.training.tasks import second_stage

PIXELCNN = PixelCNNConfig(layers=2, channels=6, kernel_radius=1, hidden_channels=8)
BRIEF = TrainConfig(steps=4, warmup=2, evaluate_every=4, num_eval_items=4, save_every=100)


@pytest.fixture(scope="module")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared folder of tiny images."""
    return prepared(tmp_path_factory.mktemp("images"))


def learn(folder: Path, config: Any, name: str = "run") -> Path:
    """Train a configuration; returns the run directory."""
    configuration.save(folder / f"{name}.yaml", config)
    arguments = ["--config", str(folder / f"{name}.yaml"), "--out", str(folder / name), "--device", "cpu"]
    assert train.main(arguments) == 0
    return folder / name


@pytest.fixture(scope="module")
def runs(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of every kind, in one folder."""
    folder = tmp_path_factory.mktemp("runs")
    for kind in CONFIGS:
        learn(folder, run_of(kind, image_folder), kind)
    data = GridDataConfig(model=str(folder / "image_vqvae"), batch=4)
    learn(folder, PixelCNNRun(PIXELCNN, data, BRIEF), "prior")
    conditional = dataclasses.replace(PIXELCNN, class_conditional=True)
    learn(folder, PixelCNNRun(conditional, data, BRIEF), "conditional")
    return folder


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_run_learns_and_logs_its_bound(kind: str, runs: Path) -> None:
    lines = [json.loads(line) for line in (runs / kind / "metrics.jsonl").read_text().splitlines()]
    last = lines[-1]
    assert last["step"] == 6 and 3 < last["heldout_bits"] < 12
    parts = last["heldout_reconstruction_bits"] + last["heldout_latents_bits"]
    assert last["heldout_bits"] <= parts + 1e-5
    assert load_image_model(runs / kind).config == CONFIGS[kind]


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_resumed_run_equals_an_uninterrupted_one(
    kind: str, runs: Path, image_folder: Path, tmp_path: Path
) -> None:
    config = run_of(kind, image_folder, save_every=3)
    learn(
        tmp_path,
        dataclasses.replace(config, train=dataclasses.replace(config.train, steps=3, lr_decay_fraction=0.0)),
    )
    whole = learn(
        tmp_path,
        dataclasses.replace(config, train=dataclasses.replace(config.train, lr_decay_fraction=0.0)),
        "whole",
    )
    resumed = learn(
        tmp_path, dataclasses.replace(config, train=dataclasses.replace(config.train, lr_decay_fraction=0.0))
    )
    one, other = (read_tensors(list_checkpoints(run)[-1] / "ema.safetensors") for run in (whole, resumed))
    assert all(torch.equal(one[name], tensor) for name, tensor in other.items())


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_likelihood_command(
    kind: str, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--run", str(runs / kind), "--json", str(tmp_path / "a.json"), "--images", "5"]
    fitted = kind == "image_vqvae"
    assert likelihood.main([*arguments, *(["--prior", str(runs / "prior")] if fitted else [])]) == 0
    figures = json.loads((tmp_path / "a.json").read_text())
    assert "of 5 held-out images" in capsys.readouterr().out and figures["images"] == 5
    assert LikelihoodResult.load(tmp_path / "a.json").to_json() == figures
    own = figures["under"]["normal" if kind == "image_vae" else "uniform"]
    if kind == "image_vqvae":  # 2x2x2 codes of 2 bits
        assert own["latents"] == pytest.approx(16 / (3 * SIZE * SIZE))
    assert figures["bits_per_dim"] == list(figures["under"].values())[-1]["bits_per_dim"]
    assert ("fitted" in figures["under"]) == fitted
    if kind != "image_vimco":
        assert own["bits_per_dim"] == pytest.approx(own["reconstruction"] + own["latents"], rel=1e-6)


def test_the_fitted_prior_equals_the_pixelcnns_nll(runs: Path, image_folder: Path) -> None:
    model, prior = load_image_model(runs / "image_vqvae"), load_grid_prior(runs / "prior")
    images = read_images(image_folder, "test")
    under = likelihood.measure_likelihood(model, images, 6, prior)
    codes = torch.from_numpy(encode_images(model, images).astype(np.int64))
    with torch.no_grad():
        expected = float(prior.nll(codes).mean()) / (3 * SIZE * SIZE * math.log(2))
    assert under["fitted"].latents == pytest.approx(expected, rel=1e-5)
    assert under["fitted"].reconstruction == pytest.approx(under["uniform"].reconstruction)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--images", "0"], "--images 0: there are 1 to 6"),
        (["--images", "7"], "--images 7: there are 1 to 6"),
        (["--prior", "PRIOR"], "fitted to another model's codes"),
        (["--prior", "CONDITIONAL"], "is conditioned on the class, so it bounds p(x | class)"),
        (["--data", "nowhere"], "nowhere: no prepared images here"),
        (["--prior", "nowhere"], "nowhere: no model here"),
    ],
)
def test_errors_of_the_likelihood_command(
    arguments: list[str], line: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"PRIOR": str(runs / "prior"), "CONDITIONAL": str(runs / "conditional")}
    run = runs / ("image_vimco" if "PRIOR" in arguments else "image_vqvae")
    assert likelihood.main(["--run", str(run), *(places.get(word, word) for word in arguments)]) == 2
    error = capsys.readouterr().err
    assert line in error and error.count("\n") == 1


def test_images_of_another_size_are_refused(
    image_folder: Path, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    larger = prepared(tmp_path / "larger", size=12)
    assert likelihood.main(["--run", str(runs / "image_vae"), "--data", str(larger)]) == 2
    assert "--data: images of 12 pixels, but the model expects 8" in capsys.readouterr().err
    configuration.save(tmp_path / "a.yaml", run_of("image_vae", larger))
    assert train.main(["--config", str(tmp_path / "a.yaml"), "--out", str(tmp_path / "run")]) == 2
    assert "larger: images of 12 pixels" in capsys.readouterr().err


def test_codes_are_cached_by_the_weights(image_folder: Path, tmp_path: Path) -> None:
    images, model = read_images(image_folder, "test"), model_of("image_vqvae")
    save_image_model(tmp_path, model)
    codes = cached_codes(tmp_path, model, images, image_folder, "test")
    assert (
        codes.shape == (6, 2, 2, 2)
        and codes.dtype == np.uint8
        and len(list(tmp_path.glob("codes/*.npy"))) == 1
    )
    assert np.array_equal(
        cached_codes(tmp_path, model_of("image_vimco"), images, image_folder, "test"), codes
    )  # not asked
    before = fingerprint(tmp_path)
    save_image_model(tmp_path, model_of("image_vqvae", codes_per_position=1))
    assert fingerprint(tmp_path) != before
    assert cached_codes(tmp_path, load_image_model(tmp_path), images, image_folder, "test").shape == (
        6,
        2,
        2,
        1,
    )


def test_a_vae_has_no_codes(
    image_folder: Path, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for model, line in ((str(runs / "image_vae"), "a VAE has no codes"), ("", "data.model is not set")):
        configuration.save(tmp_path / "a.yaml", PixelCNNRun(PIXELCNN, GridDataConfig(model=model), BRIEF))
        assert train.main(["--config", str(tmp_path / "a.yaml"), "--out", str(tmp_path / "run")]) == 2
        assert line in capsys.readouterr().err
    with pytest.raises(UserError):
        require_codes(model_of("image_vae"))


@torch.no_grad()
def test_a_prior_and_its_directory(runs: Path, tmp_path: Path) -> None:
    grid = Grid(2, 3, 2, 4)
    for classes in ([], ["cat", "dog"]):
        torch.manual_seed(0)
        prior = GridPrior(
            dataclasses.replace(PIXELCNN, class_conditional=bool(classes)), grid, classes, "abc"
        ).eval()
        save_grid_prior(tmp_path / str(len(classes)), prior)
        loaded = load_grid_prior(tmp_path / str(len(classes)))
        assert (loaded.grid, loaded.source, loaded.classes) == (grid, "abc", tuple(classes))
        labels = torch.tensor([1, 0]) if classes else None
        uniforms = loaded.seeded_uniforms(2, 5)
        drawn = loaded.sample(uniforms, labels)
        assert torch.equal(drawn, prior.sample(uniforms, labels)) and drawn.shape == (2, 2, 3, 2)
        assert torch.equal(
            loaded.sample(loaded.seeded_uniforms(1, 5), None if labels is None else labels[:1]), drawn[:1]
        )
        assert not torch.equal(loaded.sample(loaded.seeded_uniforms(2, 6), labels), drawn)
        torch.testing.assert_close(loaded.nll(drawn, labels), prior.nll(drawn, labels))
    with pytest.raises(UserError, match="the images have no classes"):
        GridPrior(dataclasses.replace(PIXELCNN, class_conditional=True), grid, [], "")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"kind": "sequence"}, "no prior over grids"),
        ({"grid": None}, "grid: expected height, width, codes_per_position, num_codes"),
        ({"grid": {"height": 2, "width": 2, "codes_per_position": 2, "num_codes": 10**9}}, "grid: expected"),
        (
            {"grid": {"height": 2, "width": 2, "codes_per_position": 200, "num_codes": 60_000}},
            "the configuration asks for",
        ),
        ({"class_names": 3}, "class_names: expected a list"),
    ],
)
def test_a_hostile_prior_is_refused(change: dict[str, Any], line: str, runs: Path, tmp_path: Path) -> None:
    save_grid_prior(tmp_path, load_grid_prior(runs / "prior"))
    mapping = read_yaml(tmp_path / "config.yaml") | change
    write_yaml(tmp_path / "config.yaml", mapping)
    with pytest.raises(UserError, match=line):
        load_grid_prior(tmp_path)


def test_the_draw_command(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind, more, made in (
        ("image_vae", [], True),
        ("image_vimco", [], False),
        ("image_vqvae", ["--prior", str(runs / "prior")], True),
        ("image_vqvae", ["--prior", str(runs / "conditional"), "--temperature", "0.5"], True),
    ):
        out = tmp_path / f"{kind}{len(more)}"
        assert draw.main(["--run", str(runs / kind), "--out", str(out), "--count", "3", *more]) == 0
        with Image.open(out / "reconstructions.png") as image:
            assert image.size == (2 + 3 * 66, 2 + 2 * 66)
        assert (out / "samples.png").exists() == made
    assert draw.main(["--run", str(runs / "image_vqvae"), "--out", str(tmp_path), "--count", "0"]) == 2
    wrong = ["--run", str(runs / "image_vimco"), "--out", str(tmp_path), "--prior", str(runs / "prior")]
    assert draw.main(wrong) == 2
    assert "fitted to another model's codes" in capsys.readouterr().err


def test_tiles_are_enlarged_images() -> None:
    row = np.arange(2 * 3 * 32 * 32, dtype=np.int64).astype(np.uint8).reshape(2, 3, 32, 32)
    canvas = tile([row, row[:1]])
    assert canvas.shape == (2 + 2 * 66, 2 + 2 * 66, 3)
    assert canvas[2 + 66 + 10, 2 + 11].tolist() == row[0, :, 5, 5].tolist()
    assert canvas[2 + 3, 2 + 66 + 7].tolist() == row[1, :, 1, 3].tolist()
    assert (canvas[:2] == 255).all() and (canvas[70:, 70:] == 255).all()


# -- the second stage
# ------------------------------------------------------------------------------------------

STAGE = SecondStageConfig(
    latents=2, channels=8, quantizer=QuantizerConfig(num_codes=4, dim=4, codebook="ema"), pixelcnn=PIXELCNN
)


@pytest.fixture(scope="module")
def first_stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of images of 16 pixels, with grids of 4x4 codes."""
    folder = tmp_path_factory.mktemp("first")
    root = prepared(folder / "images", size=16)
    config = run_of("image_vqvae", root)
    model = dataclasses.replace(
        CONFIGS["image_vqvae"], autoencoder=dataclasses.replace(SIZES, size=16), codes_per_position=1
    )
    return learn(folder, dataclasses.replace(config, model=model))


def test_the_second_stage_is_trained_and_drawn(first_stage: Path, tmp_path: Path) -> None:
    run = learn(tmp_path, SecondStageRun(STAGE, GridDataConfig(model=str(first_stage), batch=4), BRIEF))
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["heldout_bound_bits"] == pytest.approx(last["heldout_bits"] + 2 * 2 / 16, abs=1e-5)
    model = load_second_stage(run)
    codes = torch.randint(4, (3, 4, 4, 1))
    with torch.no_grad():
        latents = model.encode(codes)
        assert latents.shape == (3, 2) and model.decode(latents, seed=1).shape == codes.shape
    arguments = [
        "--run",
        str(first_stage),
        "--second-stage",
        str(run),
        "--out",
        str(tmp_path),
        "--count",
        "2",
    ]
    assert draw.main(arguments) == 0
    with Image.open(tmp_path / "reconstructions.png") as image:
        assert image.size == (2 + 2 * 66, 2 + 3 * 66)
    argv = ["--run", str(first_stage), "--second-stage", str(run), "--json", str(tmp_path / "a.json")]
    assert likelihood.main(argv) == 0
    figures = json.loads((tmp_path / "a.json").read_text())
    second, under = figures["second_stage"], figures["under"]
    expected = (second["bits_per_code"] * 16 + second["latent_bits"]) / (3 * 16 * 16)
    assert (
        under["second stage"]["latents"] == pytest.approx(expected, rel=1e-5) and second["latent_bits"] == 4
    )
    assert under["second stage"]["reconstruction"] == pytest.approx(under["uniform"]["reconstruction"])
    assert second["gap"] == pytest.approx(second["shuffled_bits_per_code"] - second["bits_per_code"])
    assert figures["bits_per_dim"] == under["uniform"]["bits_per_dim"]
    assert likelihood.main([*argv, "--images", "1"]) == 2
    assert likelihood.main(["--run", str(first_stage), "--second-stage", str(first_stage)]) == 2


@torch.no_grad()
def test_the_second_stages_bound_is_above_the_exact_nll() -> None:
    """The exact -log p(codes), summed over all latents."""
    torch.manual_seed(0)
    model = SecondStage(STAGE, Grid(4, 4, 1, 4), "").eval()
    for parameter in model.decoder.parameters():
        parameter.add_(0.2 * torch.randn_like(parameter))
    codes = torch.randint(4, (3, 4, 4, 1))
    every = torch.cartesian_prod(torch.arange(4), torch.arange(4))
    vectors = model.quantizer.lookup(every)
    each = [model.decoder.nll_per_grid(one[None].expand(16, -1, -1, -1), vectors) for one in codes]
    exact = torch.stack([-(-nats).logsumexp(0) + math.log(16) for nats in each])
    assert (model.nll_bound(codes) > exact).all() and torch.stack(each).std() > 0.1


def test_latents_that_are_used_and_latents_that_are_not() -> None:
    """Grids of one code each: latents determine them. A decoder that ignores the latents shows no gap."""
    torch.manual_seed(0)
    model = SecondStage(STAGE, Grid(4, 4, 1, 4), "")
    codes = torch.arange(4).repeat_interleave(8).view(-1, 1, 1, 1).expand(-1, 4, 4, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(60):
        loss = model(codes).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    measures = second_stage.measure(model.eval(), codes)
    assert measures["latents_gap_bits"] > 0.1 and 1 < measures["heldout_perplexity"] <= 8
    for layer in model.decoder.pixelcnn.layers:
        torch.nn.init.zeros_(layer.condition_proj.weight)  # type: ignore[union-attr, arg-type]
    own, others = latent_usage_nll(model, codes)
    assert own.shape == (32,) and own.tolist() == pytest.approx(others.tolist(), abs=1e-5)


def test_grids_too_small_for_a_second_stage_are_refused(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = SecondStageRun(STAGE, GridDataConfig(model=str(runs / "image_vqvae")), BRIEF)
    configuration.save(tmp_path / "a.yaml", config)
    assert train.main(["--config", str(tmp_path / "a.yaml"), "--out", str(tmp_path / "run")]) == 2
    assert "the model has 2 codes per side; a second stage needs 4" in capsys.readouterr().err
    with pytest.raises(UserError, match="no second stage"):
        load_second_stage(runs / "prior")
