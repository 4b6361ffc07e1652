"""`python -m speechvq.draw`: plot reconstructions and samples of an image model."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.plots.image_grid import save_image_grid, split_rows
from speechvq.runtime.device import find_device

if TYPE_CHECKING:
    from torch import Tensor

    from speechvq.images.model_directory import ImageModel


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("draw", __doc__)
    flags.add_image_model(parser)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for reconstructions.png and samples.png"
    )
    flags.add_number(parser, "--count", int, 1, 1024, default=16, help="images of each kind")
    flags.add_seed(parser, "sampling")
    flags.add_temperature(parser)
    flags.add_device(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    import torch

    from speechvq.images.dataset import check_size, read_images, training_images_root
    from speechvq.images.model_directory import load_image_model

    arguments.device = find_device(arguments.device)
    model = load_image_model(arguments.run).to(arguments.device)
    images = read_images(arguments.data or training_images_root(arguments.run), "test")
    check_size(images, model.config.autoencoder.size, "--data")
    pixels = images.batch(slice(arguments.count)).to(arguments.device)
    with torch.no_grad():
        rows = [pixels, model.reconstruct(pixels)]
        if arguments.second_stage:
            rows.append(_through_second_stage(arguments, model, pixels))
        samples = _samples(arguments, model)
    arrays = [row.cpu().numpy() for row in rows]
    columns = min(arguments.count, 16)
    parts = [part for group in zip(*(split_rows(array, columns) for array in arrays)) for part in group]
    save_image_grid(arguments.out / "reconstructions.png", parts)
    print(f"{arguments.out / 'reconstructions.png'}: held-out images and, below them, their reconstructions")
    if samples is not None:
        save_image_grid(arguments.out / "samples.png", split_rows(samples.cpu().numpy(), columns))
        print(f"{arguments.out / 'samples.png'}: {arguments.count} samples")


def _samples(arguments: argparse.Namespace, model: "ImageModel") -> "Tensor | None":
    """Images sampled from the prior, (count, 3, H, W), uint8; None for a model of codes without --prior."""
    import torch

    from speechvq.images.codes import check_source, require_codes
    from speechvq.images.vae import ImageVAE
    from speechvq.priors.grid.prior import load_grid_prior

    torch.manual_seed(arguments.seed)
    if isinstance(model, ImageVAE):
        return model.sample(arguments.count)
    if not arguments.prior:  # codes drawn from the uniform prior decode to noise
        return None
    prior = load_grid_prior(arguments.prior).to(arguments.device)
    check_source(arguments.prior, prior.source, arguments.run)
    labels = (
        torch.arange(arguments.count, device=arguments.device) % len(prior.classes) if prior.classes else None
    )
    uniforms = prior.seeded_uniforms(arguments.count, arguments.seed)
    codes = prior.sample(uniforms, labels, temperature=arguments.temperature)
    return require_codes(model).decode(codes)


def _through_second_stage(arguments: argparse.Namespace, model: "ImageModel", pixels: "Tensor") -> "Tensor":
    """Images decoded from grids that the second stage samples given its latents."""
    from speechvq.images.codes import check_source, require_codes
    from speechvq.images.second_stage import load_second_stage

    codes_model = require_codes(model)
    second = load_second_stage(arguments.second_stage).to(arguments.device)
    check_source(arguments.second_stage, second.source, arguments.run)
    latents = second.encode(codes_model.encode(pixels))
    return codes_model.decode(second.decode(latents, seed=arguments.seed))


if __name__ == "__main__":
    raise SystemExit(main())
