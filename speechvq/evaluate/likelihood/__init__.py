"""`python -m speechvq.evaluate likelihood`: bits per dimension of held-out images, latents included."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.cli.tables import align
from speechvq.errors import UserError
from speechvq.evaluate.likelihood.second_stage import measure_second_stage, second_stage_lines
from speechvq.results.likelihood import ImageBound, LikelihoodResult
from speechvq.runtime.device import find_device
from speechvq.runtime.progress import progress

if TYPE_CHECKING:
    import torch

    from speechvq.images.dataset import ImageSet
    from speechvq.images.elbo import CodePrior
    from speechvq.images.model_directory import ImageModel
    from speechvq.images.second_stage import SecondStage
    from speechvq.priors.grid.prior import GridPrior

BATCH = 32  # images measured at once; bounds memory
SEED = 0  # of sampled latents


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("evaluate likelihood", __doc__)
    flags.add_image_model(parser)
    parser.add_argument("--images", type=int, help="score the first images of the test split (default: all)")
    flags.add_device(parser)
    flags.add_json(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    from speechvq.images.dataset import check_size, read_images, training_images_root
    from speechvq.images.model_directory import load_image_model

    arguments.device = find_device(arguments.device)
    model = load_image_model(arguments.run).to(arguments.device)
    images = read_images(arguments.data or training_images_root(arguments.run), "test")
    check_size(images, model.config.autoencoder.size, "--data")
    count = len(images.pixels) if arguments.images is None else arguments.images
    if not 1 <= count <= len(images.pixels):
        raise UserError(f"--images {count}: there are 1 to {len(images.pixels)}")
    prior, second = _prior(arguments), _second_stage(arguments, count)
    under = measure_likelihood(model, images, count, prior, second)
    result = LikelihoodResult(
        run=str(arguments.run),
        prior=str(arguments.prior) if prior else None,
        kind=model.config.kind,
        images=count,
        under=under,
        bits_per_dim=under.get("fitted", next(iter(under.values()))).bits_per_dim,
        samples=model.config.samples if model.config.kind == "image_vimco" else None,
        second_stage=None if second is None else measure_second_stage(model, second, images, count),
    )
    print(likelihood_table(result))
    if arguments.json:
        result.save(arguments.json)


def measure_likelihood(
    model: "ImageModel",
    images: "ImageSet",
    count: int,
    prior: "GridPrior | None" = None,
    second: "SecondStage | None" = None,
) -> dict[str, ImageBound]:
    """Upper bounds on -log2 p(x) in bits per dimension, by prior of the latents.

    Args:
        model: in evaluation mode.
        images: held-out images.
        count: how many of the first images to measure.
        prior: a prior fitted to the model's codes.
        second: a second stage over these codes.

    Returns:
        The bound under the prior of training ("normal" or "uniform"), then "fitted" and "second stage".
    """
    under = {
        "normal" if model.config.kind == "image_vae" else "uniform": _measure(model, images, count, None)
    }
    if prior is not None:
        under["fitted"] = _measure(model, images, count, prior.nll)
    if second is not None:
        under["second stage"] = _measure(model, images, count, second.nll_bound)
    return under


def _measure(model: "ImageModel", images: "ImageSet", count: int, prior: "CodePrior | None") -> ImageBound:
    import torch

    from speechvq.images.elbo import ElboTerms, bits_per_dim

    device, parts = next(model.parameters()).device, []
    starts = range(0, count, BATCH)
    with torch.no_grad():
        for start in progress(starts, total=len(starts), label="measure", unit="batches"):
            torch.manual_seed(hash((SEED, start)))
            pixels = images.batch(slice(start, min(start + BATCH, count))).to(device)
            parts.append(model.elbo(pixels, prior))
    dimensions = images.pixels[0].size
    whole = ElboTerms(*(bits_per_dim(torch.cat(each).double(), dimensions) for each in zip(*parts)))
    return ImageBound(
        bits_per_dim=float(whole.total.mean()),
        standard_error=_standard_error(whole.total),
        reconstruction=float(whole.reconstruction.mean()),
        latents=float(whole.latents.mean()),
    )


def _standard_error(values: "torch.Tensor") -> float:
    return float(values.std() / len(values) ** 0.5) if len(values) > 1 else 0.0


def likelihood_table(result: LikelihoodResult) -> str:
    """A row per prior of the latents."""
    header = ["prior of the latents", "bits/dim ↓", "standard error", "reconstruction", "latents"]
    rows = [[name, *bound_cells(bound)] for name, bound in result.under.items()]
    notes = [
        f"upper bound on -log2 p(x), bits per dimension, latents included, of {result.images} held-out images"
    ]
    if result.samples is not None:
        notes.append(
            f"importance-weighted with {result.samples} samples, so the bound is below the sum of its parts"
        )
    notes += second_stage_lines(result.second_stage) if result.second_stage is not None else []
    return "\n".join([f"{result.run}: {result.kind}", align([header, *rows], left=1), *notes])


def bound_cells(bound: ImageBound) -> list[str]:
    """A bound, its standard error and its two parts as text."""
    values = (bound.bits_per_dim, bound.standard_error, bound.reconstruction, bound.latents)
    return [f"{value:.3f}" for value in values]


def _prior(arguments: argparse.Namespace) -> "GridPrior | None":
    """The prior given by --prior.

    Raises:
        UserError: the prior is of another model, or conditioned on the class: that would bound p(x | class).
    """
    if not arguments.prior:
        return None
    from speechvq.images.codes import check_source
    from speechvq.priors.grid.prior import load_grid_prior

    prior = load_grid_prior(arguments.prior).to(arguments.device)
    check_source(arguments.prior, prior.source, arguments.run)
    if prior.classes:
        raise UserError(
            f"{arguments.prior}: is conditioned on the class, so it bounds p(x | class) and not p(x); "
            "give an unconditional prior"
        )
    return prior


def _second_stage(arguments: argparse.Namespace, count: int) -> "SecondStage | None":
    """The second stage given by --second-stage."""
    if not arguments.second_stage:
        return None
    from speechvq.images.codes import check_source
    from speechvq.images.second_stage import load_second_stage

    if count < 2:
        raise UserError(f"--images {count}: shuffled latents need two images or more; give 2 or more")
    second = load_second_stage(arguments.second_stage).to(arguments.device)
    check_source(arguments.second_stage, second.source, arguments.run)
    return second
