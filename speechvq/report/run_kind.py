"""The text, headline metrics and training curves of a page, by the kind of model that a run trains."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from speechvq.plots import training_curve
from speechvq.plots.training_curve import Panel

_USAGE = {
    "active codes": ("heldout_active_codes", "{:.0f}"),
    "perplexity": ("heldout_perplexity", "{:.0f}"),
}


@dataclass(frozen=True)
class RunKind:
    """How runs of one kind are shown."""

    about: str  # the sentence at the head of the page
    facts: Mapping[str, tuple[str, str]]  # by label, the key of a metric and its format
    panels: Sequence[Panel]  # of the training curve
    curve_caption: str


SPEECH = RunKind(
    "An encoder maps speech to discrete codes; a decoder maps codes and a speaker to a waveform.",
    {
        "held-out loss": ("heldout_bits", "{:.3f} bits/sample"),
        "loss increase with shuffled codes": ("codes_gap_bits", "{:.3f} bits/sample"),
        "loss increase with shuffled speakers": ("speaker_gap_bits", "{:.3f} bits/sample"),
    }
    | _USAGE,
    training_curve.SPEECH,
    "Loss, perplexity, and loss increase with shuffled codes and with shuffled speakers, by training step",
)
_BOUND = {
    "held-out bound": ("heldout_bits", "{:.3f} bits/dim"),
    "latents' part of the bound": ("heldout_latents_bits", "{:.3f} bits/dim"),
}
IMAGES = RunKind(
    "An encoder maps an image to a distribution over latents; a decoder maps latents to an image.",
    _BOUND,
    training_curve.IMAGES,
    "Bound on the likelihood of held-out images and its parts, by training step",
)
IMAGE_CODES = RunKind(
    "An encoder maps an image to a grid of discrete codes; a decoder maps the codes to an image.",
    _BOUND | {"perplexity": ("perplexity", "{:.0f}")},
    training_curve.IMAGE_CODES,
    "Bound on the likelihood of held-out images and its parts, and perplexity, by training step",
)
PRIOR = RunKind(
    "An autoregressive prior over discrete codes: it gives their likelihood and samples new ones.",
    {"held-out loss": ("heldout_bits", "{:.3f} bits/code")},
    training_curve.CODES,
    "Bits per code, by training step",
)
SECOND_STAGE = RunKind(
    "An encoder maps an image's grid of codes to a few discrete latents; a PixelCNN decodes them.",
    {
        "held-out loss": ("heldout_bits", "{:.3f} bits/code"),
        "loss increase with shuffled latents": ("latents_gap_bits", "{:.3f} bits/code"),
        "perplexity": ("heldout_perplexity", "{:.0f}"),
    },
    training_curve.SECOND_STAGE,
    "Bits per code, loss increase with shuffled latents, and perplexity, by training step",
)
_BY_MODEL = {
    "image_vae": IMAGES,
    "image_vimco": IMAGES,
    "image_vqvae": IMAGE_CODES,
    "pixelcnn": PRIOR,
    "second_stage": SECOND_STAGE,
    "sequence": PRIOR,
    "video_prior": PRIOR,
}


def run_kind_of(config: Mapping[str, Any]) -> RunKind:
    """The kind of a run by its configuration; SPEECH unless the model names another kind."""
    model = config.get("model")
    kind = model.get("kind") if isinstance(model, dict) else None
    return _BY_MODEL.get(kind, SPEECH) if isinstance(kind, str) else SPEECH
