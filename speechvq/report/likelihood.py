"""Pictures on a page, and how likely the model finds them: what `draw` and `evaluate likelihood` made."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from speechvq.errors import UserError
from speechvq.report.results import Likelihood

RECONSTRUCTIONS, SAMPLES = "reconstructions.png", "samples.png"


class ImageGrids(NamedTuple):
    """The grids of pictures."""

    reconstructions: Path | None = None
    samples: Path | None = None


class LikelihoodTable(NamedTuple):
    """A row a prior of the latents, and what is to be said below."""

    rows: Sequence[tuple[str, Sequence[str]]]  # name, and bits/dim with standard error and its parts
    notes: Sequence[str]


def find_image_grids(folder: Path, *, required: bool) -> ImageGrids:
    """What `draw --out` made in a folder.

    Args:
        folder: it.
        asked: whether the folder was named, so that there must be something.

    Raises:
        UserError: there is nothing.
    """
    places = (folder / RECONSTRUCTIONS, folder / SAMPLES)
    found = ImageGrids(*(place if place.is_file() else None for place in places))
    if required and found == ImageGrids():
        raise UserError(
            f"{folder}: no {RECONSTRUCTIONS} here; give what `python -m speechvq.draw --out` made"
        )
    return found


def likelihood_table(result: Likelihood) -> LikelihoodTable:
    """The bound under each prior, as it is printed."""
    rows = [
        (name, (f"{each.bits:.3f} ± {each.error:.3f}", f"{each.reconstruction:.3f}", f"{each.latents:.3f}"))
        for name, each in result.under.items()
    ]
    notes = [f"Over {result.images:,} held-out pictures; ± is the standard error over them."]
    if result.samples:
        notes.append(
            f"Importance-weighted with {result.samples} samples, so the bound is below its parts' sum."
        )
    if stage := result.second_stage:
        notes.append(
            f"Second stage, {stage.latent_bits:g} bits a picture: {stage.bits_a_code:.3f} bits a code with a picture's "
            f"own latents, {stage.shuffled_bits_a_code:.3f} with another's. Near-equal numbers would mean that the "
            "latents are not used."
        )
    return LikelihoodTable(rows, notes)
