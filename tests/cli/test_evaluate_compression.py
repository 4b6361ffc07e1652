"""`evaluate compression` on a tiny VQ-VAE and its prior."""

import math
from pathlib import Path

import numpy as np
import pytest

from helpers.image_data import prepared, run_of
from speechvq import config as configuration
from speechvq import train
from speechvq.config import TrainConfig
from speechvq.config.pixelcnn import GridDataConfig, PixelCNNConfig
from speechvq.config.runs import PixelCNNRun
from speechvq.evaluate import compression
from speechvq.images.codes import encode_images
from speechvq.images.dataset import read_images
from speechvq.images.model_directory import load_image_model
from speechvq.metrics.images.quality import psnr
from speechvq.results.compression import CompressionResult

BRIEF = TrainConfig(steps=4, warmup=2, evaluate_every=4, num_eval_items=4, save_every=100)


def learn(folder: Path, config: object, name: str) -> Path:
    configuration.save(folder / f"{name}.yaml", config)  # type: ignore[arg-type]
    arguments = ["--config", str(folder / f"{name}.yaml"), "--out", str(folder / name), "--device", "cpu"]
    assert train.main(arguments) == 0
    return folder / name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A VQ-VAE of 2x2x2 codes of K = 4, a VAE, and a prior."""
    folder = tmp_path_factory.mktemp("compression")
    prepared(folder / "images")
    for name in ("image_vqvae", "image_vae"):
        learn(folder, run_of(name, folder / "images"), name)
    pixelcnn = PixelCNNConfig(layers=2, channels=6, kernel_radius=1, hidden_channels=8)
    learn(folder, PixelCNNRun(pixelcnn, GridDataConfig(str(folder / "image_vqvae"), batch=4), BRIEF), "prior")
    return folder


def test_codes_are_measured_beside_jpeg_and_webp(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--run", str(folder / "image_vqvae"), "--prior", str(folder / "prior"), "--device", "cpu"]
    assert compression.main([*arguments, "--json", str(folder / "a.json"), "--images", "5"]) == 0
    table, result = capsys.readouterr().out, CompressionResult.load(folder / "a.json")
    assert (
        "5 held-out images of 8x8 pixels, 8 codes each" in table and "WEBP at the bits of the codes" in table
    )
    assert result.coded["codes"].bits == 16 and result.coded["codes"].ratio == pytest.approx(8 * 8 * 24 / 16)
    assert result.coded["JPEG at the bits of the codes"].over == 5  # a file of two bytes does not exist
    model, images = load_image_model(folder / "image_vqvae"), read_images(folder / "images", "test")
    codes = encode_images(model, images._replace(pixels=images.pixels[:5]))
    assert codes[0].size == result.codes and math.isnan(result.coded["codes"].ssim)
    truth = np.array(images.pixels[:5])
    decoded = model.reconstruct(images.batch(slice(5))).numpy()
    assert result.coded["codes"].psnr == pytest.approx(psnr(decoded, truth))
    bits = result.bits_per_code
    assert bits["uniform"] == 2 and list(bits)[1:3] == ["unigram", "n-gram: left"]
    assert bits["PixelCNN"] * 8 == pytest.approx(result.coded["codes, fitted prior"].bits)


def test_a_vae_has_no_codes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compression.main(["--run", str(folder / "image_vae"), "--device", "cpu"]) == 2
    assert "a VAE has no codes" in capsys.readouterr().err
