"""Discrete codes of speech, and speech from codes in the voice of any speaker (van den Oord et al. 2017).

    model = speechvq.load()
    codes = model.encode(wave)
    converted = model.convert(wave, "1088")

Letters of shapes, used in every docstring: B batch, T samples, N code frames, F frames of 10 ms, C channels,
    D code width, K codebook size, S speakers, L spectra, M mel bands. Inside the decoder: R residual and U
    skip channels, Q mu-law bins, V width of the speaker embedding, H harmonics, P order of the all-pole
    filter.
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from speechvq.errors import UserError
from speechvq.runtime.compilation.cache import use_user_cache

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from speechvq import metrics
    from speechvq.quantizer import VectorQuantizer
    from speechvq.speech.model import SpeechVQ

__version__ = "0.1.0"  # pyproject.toml reads it from here
DEFAULT_MODEL = "english29-100"  # bundled with the package, see its MODEL_CARD.md in `pretrained`
__all__ = [
    "DEFAULT_MODEL",
    "SpeechVQ",
    "UserError",
    "VectorQuantizer",
    "__version__",
    "load",
    "metrics",
    "push_to_hub",
]

use_user_cache()  # before any module that defines a compiled function

_LAZY = {"SpeechVQ": "speechvq.speech.model", "VectorQuantizer": "speechvq.quantizer"}


def load(name: "str | Path" = DEFAULT_MODEL, device: "str | torch.device" = "cpu") -> "SpeechVQ":
    """Load a speech model in evaluation mode.

    Args:
        name: a bundled model, a model directory or a run directory, or hub:OWNER/NAME (extra "hub").
        device: where the model computes; `model.to(device)` moves it later.

    Raises:
        UserError: not a model, or a device that this machine does not have.
    """
    from speechvq.speech.model_directory import check_speech_model

    check_speech_model(name)  # before PyTorch is imported, which takes seconds
    from speechvq.speech.model import load_model

    return load_model(name, device)


def push_to_hub(
    folder: "str | Path",
    name: str,
    *,
    private: bool = False,
    license_id: str | None = None,
    languages: "Sequence[str]" = (),
    dry_run: bool = False,
) -> str:
    """Upload a model of any kind with its card to the Hugging Face hub as OWNER/NAME (extra "hub").

    The card is the folder's README.md, else its MODEL_CARD.md, else a new one. Metadata are put before a card
    that has none. The prior in the folder `prior` of a speech model is uploaded with it.

    Args:
        folder: the model directory or run directory of a speech model, an image model or a prior, or a
            bundled model's name.
        name: OWNER/NAME.
        private: whether a new repository is private.
        license_id: the hub's name of the license, for example "mit"; None states none.
        languages: ISO 639 codes, for example "en".
        dry_run: connect to nothing, and return the list of files and the card.

    Returns:
        The repository's address; with `dry_run`, the files with their sizes, and the card.

    Raises:
        UserError: no model there, not logged in, no network, or the extra is missing.
    """
    from speechvq.io.hub import upload
    from speechvq.io.model_directory import find_model_directory
    from speechvq.speech.model_directory import find_prior, find_speech_model

    model, prior = find_speech_model(folder), find_prior(folder)
    return upload(
        model,
        name,
        private=private,
        prior=None if prior is None else find_model_directory(prior),
        license_id=license_id,
        languages=languages,
        dry_run=dry_run,
    )


def __getattr__(name: str) -> Any:
    """Import torch and the metrics only on first use, so that `--help` and mistakes answer at once."""
    if name == "metrics":
        return import_module("speechvq.metrics")
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'speechvq' has no attribute '{name}'")


def __dir__() -> list[str]:
    """The public names, also those that are not imported yet, and the modules that are."""
    return sorted({*__all__, *(name for name, value in globals().items() if isinstance(value, ModuleType))})
