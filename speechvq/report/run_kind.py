"""What a run is about: the words, numbers and curves of its page, by the kind of its model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from speechvq.plots import training_curve
from speechvq.plots.training_curve import Panel

_USE = {"codes in use": ("heldout_active_codes", "{:.0f}"), "perplexity": ("heldout_perplexity", "{:.0f}")}


@dataclass(frozen=True)
class RunKind:
    """How a run of some kind is shown."""

    about: str  # a sentence at the head of the page
    facts: Mapping[str, tuple[str, str]]  # by their labels, a number of the metrics and its form
    panels: Sequence[Panel]  # of the curve
    curve_caption: str  # the curve in words


SPEECH = RunKind(
    "Speech becomes a string of discrete codes; a decoder speaks the codes again, in any of its voices.",
    {
        "held-out loss": ("heldout_bits", "{:.3f} bits a sample"),
        "lost by another sentence's codes": ("codes_gap_bits", "{:.3f} bits"),
        "lost by another speaker's name": ("speaker_gap_bits", "{:.3f} bits"),
    }
    | _USE,
    training_curve.SPEECH,
    "Loss, perplexity, and what wrong codes and wrong names cost, by step",
)
_BOUND = {
    "held-out bound": ("heldout_bits", "{:.3f} bits/dim"),
    "of that for the latents": ("heldout_latents_bits", "{:.3f} bits/dim"),
}
IMAGES = RunKind(
    "Pictures become a few numbers drawn from a distribution; a decoder makes pictures of them again.",
    _BOUND,
    training_curve.IMAGES,
    "The bound on held-out pictures and its parts, by step",
)
IMAGE_CODES = RunKind(
    "Pictures become grids of discrete codes; a decoder makes pictures of the codes again.",
    _BOUND | {"perplexity": ("perplexity", "{:.0f}")},
    training_curve.IMAGE_CODES,
    "The bound on held-out pictures and its parts, and perplexity, by step",
)
PRIOR = RunKind(
    "A prior over discrete codes: how likely they are, and new ones out of nothing.",
    {"held-out loss": ("heldout_bits", "{:.3f} bits a code")},
    training_curve.CODES,
    "Bits a code, by step",
)
SECOND_STAGE = RunKind(
    "A picture's grid of codes becomes a few latents; a PixelCNN makes a grid of them again.",
    {
        "held-out loss": ("heldout_bits", "{:.3f} bits a code"),
        "lost by another picture's latents": ("latents_gap_bits", "{:.3f} bits a code"),
        "perplexity": ("heldout_perplexity", "{:.0f}"),
    },
    training_curve.SECOND_STAGE,
    "Bits a code, what wrong latents cost, and perplexity, by step",
)
_BY_KIND = {
    "image_vae": IMAGES,
    "image_vimco": IMAGES,
    "image_vqvae": IMAGE_CODES,
    "pixelcnn": PRIOR,
    "second_stage": SECOND_STAGE,
    "sequence": PRIOR,
    "video_prior": PRIOR,
}


def run_kind_of(config: Mapping[str, Any]) -> RunKind:
    """What a run's configuration says that it is about; speech, unless it names another kind."""
    model = config.get("model")
    kind = model.get("kind") if isinstance(model, dict) else None
    return _BY_KIND.get(kind, SPEECH) if isinstance(kind, str) else SPEECH
