"""Frames per second of a rollout in codes: the cached sampler against an uncached one."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from naive_frames import sample_frame_uncached
from speechvq.config import read_run
from speechvq.config.images import ImageVQConfig
from speechvq.config.runs import ImageVQRun, VideoPriorRun
from speechvq.config.video import VideoPriorConfig
from speechvq.images.vqvae import ImageVQ
from speechvq.video.model.prior import VideoPrior
from speechvq.video.model.rollout import roll_out
from speechvq.video.world.interface import ACTIONS
from timing import REPEATS, alternate, measurement_parser, one_core, rounds, write_part

CONFIG = Path("video_prior")
IMAGES = Path("video_vqvae")
STREAMS = 16  # videos per batch
NAIVE_CODES = 24  # of the 441 of a frame; each costs the same


def build_parser() -> argparse.ArgumentParser:
    """The script's flags."""
    parser = measurement_parser(__doc__)
    parser.add_argument("--config", type=Path, default=CONFIG, help="configuration of the prior")
    parser.add_argument("--images", type=Path, default=IMAGES, help="configuration of the image model")
    return parser


def main() -> None:
    """Measure in this process."""
    arguments = build_parser().parse_args()
    one_core()
    config, images = read_run(arguments.config), read_run(arguments.images)
    assert isinstance(config, VideoPriorRun), f"{arguments.config}: no prior over frames"
    assert isinstance(images, ImageVQRun), f"{arguments.images}: no VQ-VAE of images"
    write_part(arguments.json, measure(config.model, images.model, repeats=rounds(arguments.brief)))


def measure(
    config: VideoPriorConfig, images: ImageVQConfig, naive_codes: int = NAIVE_CODES, repeats: int = REPEATS
) -> dict[str, Any]:
    """Frames per second with random weights: cached (one video, a batch), and uncached by the first codes."""
    image = ImageVQ(images)
    grid = image.grid
    prior = VideoPrior(config, grid, "", image).eval()
    codes = grid.height * grid.width * grid.codes_per_position
    works = {
        "cached": _rolling(prior, 1),
        "cached_batched": _rolling(prior, STREAMS),
        "naive": _rolling_naively(prior, min(naive_codes, codes)),
    }
    seconds = alternate(works, repeats)
    rates = {
        "cached": 1 / seconds["cached"],
        "cached_batched": STREAMS / seconds["cached_batched"],
        "naive": min(naive_codes, codes) / codes / seconds["naive"],
    }
    return {
        "ratios": {"video_rollout": rates["cached"] / rates["naive"]},
        "frames_per_second": {"video_rollout": rates},
    }


def _rolling(prior: VideoPrior, streams: int) -> Callable[[], Tensor]:
    """A work that samples one frame of a batch of videos."""
    past, actions = _beginning(prior, streams)
    return lambda: roll_out(prior, past, actions[:, None])


def _rolling_naively(prior: VideoPrior, codes: int) -> Callable[[], Tensor]:
    """A work that samples the first codes of one video's frame."""
    past, action = _beginning(prior, 1)
    uniforms = torch.rand(1, prior.grid.height, prior.grid.width, prior.grid.codes_per_position)
    return lambda: sample_frame_uncached(prior, past, action, uniforms, codes)


def _beginning(prior: VideoPrior, streams: int) -> tuple[Tensor, Tensor]:
    shape = (
        streams,
        prior.config.context_frames,
        prior.grid.height,
        prior.grid.width,
        prior.grid.codes_per_position,
    )
    return torch.randint(prior.grid.num_codes, shape), torch.randint(len(ACTIONS), (streams,))


if __name__ == "__main__":
    main()
