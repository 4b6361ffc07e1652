"""Image grids made by `draw`, and the table of `evaluate likelihood`."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from speechvq.errors import UserError
from speechvq.results.likelihood import LikelihoodResult

RECONSTRUCTIONS, SAMPLES = "reconstructions.png", "samples.png"


class ImageGrids(NamedTuple):
    """PNG files of image grids."""

    reconstructions: Path | None = None
    samples: Path | None = None


class LikelihoodTable(NamedTuple):
    """A row per prior of the latents, and notes below the table."""

    rows: Sequence[tuple[str, Sequence[str]]]  # name; bits/dim with its standard error, and its two parts
    notes: Sequence[str]


def find_image_grids(folder: Path, *, required: bool) -> ImageGrids:
    """The image grids that `draw --out` made in a folder.

    Args:
        folder: where to look.
        required: whether it is an error if there are none.

    Raises:
        UserError: there are none.
    """
    places = (folder / RECONSTRUCTIONS, folder / SAMPLES)
    found = ImageGrids(*(place if place.is_file() else None for place in places))
    if required and found == ImageGrids():
        raise UserError(
            f"{folder}: no {RECONSTRUCTIONS} here; give the folder that `python -m speechvq.draw --out` made"
        )
    return found


def likelihood_table(result: LikelihoodResult) -> LikelihoodTable:
    """The bound under each prior of the latents."""
    rows = [
        (
            name,
            (
                f"{bound.bits_per_dim:.3f} ± {bound.standard_error:.3f}",
                f"{bound.reconstruction:.3f}",
                f"{bound.latents:.3f}",
            ),
        )
        for name, bound in result.under.items()
    ]
    notes = [f"Mean over {result.images:,} held-out images ± standard error."]
    if result.samples:
        notes.append(
            f"Importance-weighted with {result.samples} samples, so the bound is below the sum of its parts."
        )
    if stage := result.second_stage:
        notes.append(
            f"Second stage with {stage.latent_bits:g} bits per image: "
            f"{stage.bits_per_code:.3f} bits per code given an image's own latents, "
            f"{stage.shuffled_bits_per_code:.3f} given another image's. "
            "Equal numbers would mean that the latents are not used."
        )
    return LikelihoodTable(rows, notes)
