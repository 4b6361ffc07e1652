"""`python -m speechvq.evaluate likelihood`: bits a sub-pixel of held-out pictures, latents included."""

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.tables import align
from speechvq.errors import UserError
from speechvq.evaluate.likelihood.second_stage import measure_second_stage, second_stage_lines
from speechvq.io.atomic import write_bytes
from speechvq.runtime.progress import progress

if TYPE_CHECKING:
    import torch

    from speechvq.images.dataset import ImageSet
    from speechvq.images.elbo import CodePrior
    from speechvq.images.model_directory import ImageModel
    from speechvq.images.second_stage import SecondStage
    from speechvq.priors.grid.prior import GridPrior

AT_ONCE = 32  # pictures measured at once; bounds memory
SEED = 0  # of what is drawn


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.evaluate likelihood", description=__doc__)
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

    model = load_image_model(arguments.run).to(arguments.device)
    images = read_images(arguments.data or training_images_root(arguments.run), "test")
    check_size(images, model.config.autoencoder.size, "--data")
    count = len(images.pixels) if arguments.images is None else arguments.images
    if not 1 <= count <= len(images.pixels):
        raise UserError(f"--images {count}: there are 1 to {len(images.pixels)}")
    prior, second = _prior(arguments), _second_stage(arguments, count)
    figures = measure_likelihood(model, images, count, prior, second)
    if second is not None:
        figures["second_stage"] = measure_second_stage(model, second, images, count)
    figures = {"run": str(arguments.run), "prior": str(arguments.prior) if prior else None} | figures
    print(likelihood_table(figures))
    if arguments.json:
        write_bytes(arguments.json, json.dumps(figures, indent=1, allow_nan=False).encode())


def measure_likelihood(
    model: "ImageModel",
    images: "ImageSet",
    count: int,
    prior: "GridPrior | None" = None,
    second: "SecondStage | None" = None,
) -> dict[str, Any]:
    """The bound on -log2 p(x) a sub-pixel and its parts, under the training's prior and under fitted ones.

    Args:
        model: in evaluation mode.
        images: held-out pictures.
        count: measure the first so many.
        prior: of the model's codes.
        second: a second stage over them.

    Returns:
        `kind`, `images`, and under `under` the figures by prior: `bits_per_dim` (of VIMCO with all its
        samples), `standard_error` over pictures, `reconstruction` and `latents`. `bits_per_dim` is the
        fitted prior's where there is one, else the training's.
    """
    under = {
        "normal" if model.config.kind == "image_vae" else "uniform": _measure(model, images, count, None)
    }
    if prior is not None:
        under["fitted"] = _measure(model, images, count, prior.nll)
    if second is not None:
        under["second stage"] = _measure(model, images, count, second.nll_bound)
    figures = {"kind": model.config.kind, "images": count, "under": under}
    if model.config.kind == "image_vimco":
        figures["samples"] = model.config.samples
    best = under.get("fitted", next(iter(under.values())))
    return figures | {"bits_per_dim": best["bits_per_dim"]}


def _measure(
    model: "ImageModel", images: "ImageSet", count: int, prior: "CodePrior | None"
) -> dict[str, float]:
    import torch

    from speechvq.images.elbo import ElboTerms, bits_per_dim

    device, parts = next(model.parameters()).device, []
    starts = range(0, count, AT_ONCE)
    with torch.no_grad():
        for start in progress(starts, total=len(starts), label="measure", unit="batches"):
            torch.manual_seed(hash((SEED, start)))
            pixels = images.batch(slice(start, min(start + AT_ONCE, count))).to(device)
            parts.append(model.elbo(pixels, prior))
    dimensions = images.pixels[0].size
    whole = ElboTerms(*(bits_per_dim(torch.cat(each).double(), dimensions) for each in zip(*parts)))
    error = _standard_error(whole.total)
    return {
        "bits_per_dim": float(whole.total.mean()),
        "standard_error": error,
        "reconstruction": float(whole.reconstruction.mean()),
        "latents": float(whole.latents.mean()),
    }


def _standard_error(values: "torch.Tensor") -> float:
    return float(values.std() / len(values) ** 0.5) if len(values) > 1 else 0.0


def likelihood_table(figures: dict[str, Any]) -> str:
    """A row a prior."""
    header = ["prior of the latents", "bits/dim", "standard error", "reconstruction", "latents"]
    rows = [
        [
            name,
            *(
                f"{values[key]:.3f}"
                for key in ("bits_per_dim", "standard_error", "reconstruction", "latents")
            ),
        ]
        for name, values in figures["under"].items()
    ]
    notes = [f"bound on -log2 p(x) a sub-pixel, latents included, over {figures['images']} held-out pictures"]
    if "samples" in figures:
        notes.append(
            f"importance-weighted with {figures['samples']} samples, so the bound is below its parts' sum"
        )
    notes += second_stage_lines(figures["second_stage"]) if "second_stage" in figures else []
    return "\n".join([f"{figures['run']}: {figures['kind']}", align([header, *rows], left=1), *notes])


def _prior(arguments: argparse.Namespace) -> "GridPrior | None":
    """The prior asked for; one whose numbers would mean something else is refused."""
    if not arguments.prior:
        return None
    from speechvq.images.codes import check_source
    from speechvq.priors.grid.prior import load_grid_prior

    prior = load_grid_prior(arguments.prior).to(arguments.device)
    check_source(arguments.prior, prior.source, arguments.run)
    if prior.classes:
        raise UserError(
            f"{arguments.prior}: is told the class, so it bounds p(x | class) and not p(x); give one that is not "
            "told"
        )
    return prior


def _second_stage(arguments: argparse.Namespace, count: int) -> "SecondStage | None":
    """The second stage asked for."""
    if not arguments.second_stage:
        return None
    from speechvq.images.codes import check_source
    from speechvq.images.second_stage import load_second_stage

    if count < 2:
        raise UserError(f"--images {count}: another picture's latents are tried too; give 2 or more")
    second = load_second_stage(arguments.second_stage).to(arguments.device)
    check_source(arguments.second_stage, second.source, arguments.run)
    return second
