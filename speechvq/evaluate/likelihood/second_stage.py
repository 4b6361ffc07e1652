"""Whether a second stage's decoder listens: its likelihood with right and with shuffled latents."""

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from speechvq.images.dataset import ImageSet
    from speechvq.images.model_directory import ImageModel
    from speechvq.images.second_stage import SecondStage


def measure_second_stage(
    model: "ImageModel", second: "SecondStage", images: "ImageSet", count: int
) -> dict[str, Any]:
    """Bits a code of the first pictures' grids, given their own latents and another picture's.

    Args:
        model: whose codes these are, in evaluation mode.
        second: over its codes.
        images: held-out pictures.
        count: measure the first so many, two at least.

    Returns:
        `latents` and `latent_bits` a picture; `bits_a_code` and `shuffled_bits_a_code`; `gap`, their
        difference, which is near zero where latents are not used, and its `gap_standard_error` over pictures.
    """
    import torch

    from speechvq.images.codes import encode_images
    from speechvq.images.second_stage import latent_usage_nll

    codes = encode_images(model, images._replace(pixels=images.pixels[:count]))
    own, others = latent_usage_nll(second, torch.from_numpy(codes.astype("int64")))
    own, others = (nats.double() / (codes[0].size * math.log(2)) for nats in (own, others))
    gaps = others - own
    return {
        "latents": second.config.latents,
        "latent_bits": second.config.latents * math.log2(second.config.quantizer.num_codes),
        "bits_a_code": float(own.mean()),
        "shuffled_bits_a_code": float(others.mean()),
        "gap": float(gaps.mean()),
        "gap_standard_error": float(gaps.std() / count**0.5),
    }


def second_stage_lines(figures: dict[str, Any]) -> list[str]:
    """What the figures say, in words."""
    return [
        f"second stage, {figures['latents']} latents of {figures['latent_bits']:g} bits in all: "
        f"{figures['bits_a_code']:.3f} bits a code with a picture's own latents, "
        f"{figures['shuffled_bits_a_code']:.3f} with another's",
        f"the latents are worth {figures['gap']:.3f} ± {figures['gap_standard_error']:.3f} bits a code "
        "(near zero: not used)",
    ]
