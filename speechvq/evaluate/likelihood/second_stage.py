"""Whether the decoder of a second stage uses its latents: likelihood with right and with shuffled latents."""

import math
from typing import TYPE_CHECKING

from speechvq.results.likelihood import SecondStageResult

if TYPE_CHECKING:
    from speechvq.images.dataset import ImageSet
    from speechvq.images.model_directory import ImageModel
    from speechvq.images.second_stage import SecondStage


def measure_second_stage(
    model: "ImageModel", second: "SecondStage", images: "ImageSet", count: int
) -> SecondStageResult:
    """Code lengths of the code grids of the first images, given their own and another image's latents.

    Args:
        model: the image model whose codes are measured, in evaluation mode.
        second: a second stage over these codes.
        images: held-out images.
        count: how many of the first images to use, at least 2.
    """
    import torch

    from speechvq.images.codes import encode_images
    from speechvq.images.second_stage import latent_usage_nll

    codes = encode_images(model, images._replace(pixels=images.pixels[:count]))
    matched, shuffled = latent_usage_nll(second, torch.from_numpy(codes.astype("int64")))
    matched, shuffled = (nats.double() / (codes[0].size * math.log(2)) for nats in (matched, shuffled))
    gaps = shuffled - matched
    return SecondStageResult(
        latents=second.config.latents,
        latent_bits=second.config.latents * math.log2(second.config.quantizer.num_codes),
        bits_per_code=float(matched.mean()),
        shuffled_bits_per_code=float(shuffled.mean()),
        gap=float(gaps.mean()),
        gap_standard_error=float(gaps.std() / count**0.5),
    )


def second_stage_lines(result: SecondStageResult) -> list[str]:
    """The result in sentences."""
    return [
        f"second stage, {result.latents} latents of {result.latent_bits:g} bits in total: "
        f"{result.bits_per_code:.3f} bits per code given an image's own latents, "
        f"{result.shuffled_bits_per_code:.3f} given another image's",
        f"gap: {result.gap:.3f} ± {result.gap_standard_error:.3f} bits per code "
        "(near zero: the latents are not used)",
    ]
