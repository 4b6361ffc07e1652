"""Small images and image models for tests."""

import dataclasses
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from speechvq.config import QuantizerConfig, TrainConfig
from speechvq.config.images import (
    AutoencoderConfig,
    ImageConfig,
    ImageDataConfig,
    ImageVAEConfig,
    ImageVimcoConfig,
    ImageVQConfig,
)
from speechvq.config.runs import ImageRun, ImageVAERun, ImageVimcoRun, ImageVQRun
from speechvq.images import preparation
from speechvq.images.model_directory import ImageModel, build

SIZE = 8
SIZES = AutoencoderConfig(size=SIZE, blocks=1, channels=6, likelihood="logistic", mixtures=2)
CONFIGS: dict[str, ImageConfig] = {
    "image_vae": ImageVAEConfig(autoencoder=SIZES, latents_per_position=2),
    "image_vqvae": ImageVQConfig(
        autoencoder=SIZES, codes_per_position=2, quantizer=QuantizerConfig(num_codes=4, dim=3)
    ),
    "image_vimco": ImageVimcoConfig(autoencoder=SIZES, codes_per_position=2, num_codes=4, dim=3, samples=3),
}
RUNS: dict[str, Any] = {"image_vae": ImageVAERun, "image_vqvae": ImageVQRun, "image_vimco": ImageVimcoRun}


def pixels_of(count: int, size: int = SIZE, seed: int = 0) -> torch.Tensor:
    """Smooth random images, (count, 3, size, size), uint8."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 3, size // 4, size // 4), dtype=np.uint8)
    return torch.from_numpy(coarse.repeat(4, 2).repeat(4, 3))


def prepared(folder: Path, train: int = 12, test: int = 6, size: int = SIZE) -> Path:
    """A prepared folder of such images in two classes."""

    def read(split: str, start: int) -> Iterator[tuple[np.ndarray, int]]:
        pixels = pixels_of(train if split == "train" else test, size, seed=len(split)).numpy()
        return ((image, i % 2) for i, image in enumerate(pixels) if i >= start)

    preparation.prepare(folder, "a test", size, ["cat", "dog"], {"train": read, "test": read}, "")
    return folder


def model_of(kind: str, **changes: Any) -> ImageModel:
    """A tiny model after one training batch, in evaluation mode."""
    torch.manual_seed(0)
    model = build(dataclasses.replace(CONFIGS[kind], **changes))
    model.train()(pixels_of(4))
    return model.eval()


def run_of(kind: str, root: Path, **train: Any) -> ImageRun:
    """The configuration of a run of a few steps."""
    settings: dict[str, Any] = {
        "steps": 6,
        "warmup": 2,
        "evaluate_every": 3,
        "num_eval_items": 4,
        "save_every": 100,
    }
    run: ImageRun = RUNS[kind](
        CONFIGS[kind], ImageDataConfig(str(root), batch=4), TrainConfig(**(settings | train))
    )
    return run


def cifar10_file(path: Path, records: int, *, label: int = 3, packed: bool = False, cut: int = 0) -> Path:
    """Write a file in the binary format of CIFAR-10, gzipped if `packed`, without its last `cut` bytes."""
    rng = np.random.default_rng(records)
    raw = np.concatenate(
        [np.full((records, 1), label, np.uint8), rng.integers(0, 256, (records, 3072), dtype=np.uint8)], 1
    ).tobytes()
    raw = raw[: len(raw) - cut]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(raw) if packed else raw)
    return path
