"""A small recording, its image model and its priors for tests, trained by the command."""

import dataclasses
from pathlib import Path
from typing import Any

import torch

from helpers.image_data import CONFIGS, SIZES, pixels_of
from speechvq import config as configuration
from speechvq import train
from speechvq.config import TrainConfig
from speechvq.config.images import ImageVQConfig
from speechvq.config.pixelcnn import PixelCNNConfig
from speechvq.config.quantizer import QuantizerConfig
from speechvq.config.runs import VideoPriorRun
from speechvq.config.video import MotionConfig, VideoDataConfig, VideoPriorConfig
from speechvq.images.model_directory import build, save_image_model
from speechvq.images.vqvae import ImageVQ
from speechvq.priors.grid.pixelcnn import Grid
from speechvq.video.model.prior import VideoPrior
from speechvq.video.recording.recording import Recording, record

EPISODES, FRAMES, CONTEXT_FRAMES = 22, 8, 3
PIXELCNN = PixelCNNConfig(layers=2, channels=6, kernel_radius=1, hidden_channels=8)
PRIOR = VideoPriorConfig(
    context_frames=CONTEXT_FRAMES, channels=6, blocks=2, context_noise=0.1, pixelcnn=PIXELCNN
)
MOTION = MotionConfig(depth_features=2, channels=6, blocks=2, steps=3, batch=2)
VARIANTS: dict[str, dict[str, Any]] = {
    "prior": {},
    "motion": {"motion": MOTION},
    "no_action": {"actions": False},
    "no_past": {"actions": False, "context_frames": 0},
}
SMALL_GRID = Grid(4, 5, 1, 6)


def make_world(folder: Path) -> Path:
    """A recording in `maze`, an image model in `model`, and a run for each of VARIANTS."""
    record(folder / "maze", Recording("maze", 0, EPISODES, FRAMES), jobs=1)
    torch.manual_seed(0)
    config = dataclasses.replace(CONFIGS["image_vqvae"], autoencoder=dataclasses.replace(SIZES, size=84))
    model = build(dataclasses.replace(config, codes_per_position=1))
    model.train()(torch.randint(256, (2, 3, 84, 84), dtype=torch.uint8))
    save_image_model(folder / "model", model.eval())
    for name in VARIANTS:
        assert train_prior(folder, run_of(folder, **VARIANTS[name]), name) == 0
    return folder


def run_of(folder: Path, **changes: Any) -> VideoPriorRun:
    """The configuration of a run of a few steps on the recording in a folder."""
    data = VideoDataConfig(str(folder / "model"), str(folder / "maze"), batch=2)
    brief = TrainConfig(
        steps=4, warmup=2, evaluate_every=2, num_eval_items=4, save_every=2, lr_decay_fraction=0.0
    )
    return VideoPriorRun(dataclasses.replace(PRIOR, **changes), data, brief)


def train_prior(folder: Path, run: VideoPriorRun, name: str) -> int:
    """Run `train` into FOLDER/NAME; returns the exit code."""
    configuration.save(folder / f"{name}.yaml", run)
    return train.main(
        ["--config", str(folder / f"{name}.yaml"), "--out", str(folder / name), "--device", "cpu"]
    )


def prior_of(grid: Grid = SMALL_GRID, seed: int = 0, **changes: Any) -> VideoPrior:
    """Random weights, large enough that everything that is seen makes a difference; double precision.

    With motion its grid is as wide as the given one is high, because images are square.
    """
    torch.manual_seed(seed)
    config, image = dataclasses.replace(PRIOR, **changes), None
    if config.motion.depth_features:
        grid = grid._replace(width=grid.height)
        image = image_of(grid)
    prior = VideoPrior(config, grid, "abc", image)
    with torch.no_grad():
        for name, parameter in prior.named_parameters():
            parameter.mul_(1.0 if ".image." in name else 1.7)
    return prior.double().eval()


def image_of(grid: Grid, channels: int = 6) -> ImageVQ:
    """An image model of a square grid of codes, four pixels per code, after one training batch."""
    quantizer = QuantizerConfig(num_codes=grid.num_codes, dim=3)
    sizes = dataclasses.replace(SIZES, size=4 * grid.height, channels=channels)
    model = ImageVQ(
        ImageVQConfig(autoencoder=sizes, codes_per_position=grid.codes_per_position, quantizer=quantizer)
    )
    model.train()(pixels_of(4, 4 * grid.height))
    return model.eval()


def codes_of(batch: int, frames: int, grid: Grid = SMALL_GRID, seed: int = 0) -> torch.Tensor:
    """Random codes of videos, (batch, frames, H, W, G)."""
    shape = (batch, frames, grid.height, grid.width, grid.codes_per_position)
    return torch.randint(grid.num_codes, shape, generator=torch.Generator().manual_seed(seed))
