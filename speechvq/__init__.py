"""Discrete codes from raw speech, spoken again in any voice (van den Oord et al. 2017, arXiv 1711.00937).

Letters of shapes, used in every docstring:
    B batch, T samples, N code frames, C channels, D code width, K codebook size, S speakers, F pitch frames.
"""

from typing import TYPE_CHECKING, Any

from speechvq.errors import UserError

if TYPE_CHECKING:
    from speechvq.speech.model import SpeechVQ
    from speechvq.speech.model import load_model as load

__version__ = "0.1.0"
DEFAULT_MODEL = "english29"  # comes with the package, see `pretrained/english29/MODEL_CARD.md`
__all__ = ["SpeechVQ", "UserError", "load"]


def __getattr__(name: str) -> Any:
    """Import torch only when a model is asked for, so that `--help` and mistakes answer at once."""
    if name == "load":
        from speechvq.speech.model import load_model

        return load_model
    if name == "SpeechVQ":
        from speechvq.speech.model import SpeechVQ

        return SpeechVQ
    raise AttributeError(f"module 'speechvq' has no attribute '{name}'")
