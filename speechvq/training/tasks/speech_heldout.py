"""What a speech model is worth on speech it has not seen, and whether its decoder listens."""

import math

import torch
from torch import Tensor

from speechvq.data.crops import Crops
from speechvq.quantizer import perplexity
from speechvq.speech.model import SpeechVQ

CROPS_AT_ONCE = 4  # bounds memory


@torch.no_grad()
def measure_heldout(model: SpeechVQ, crops: Crops) -> dict[str, float]:
    """Held-out loss with the right codes and speaker, with another utterance's codes, with another's name.

    Args:
        model: in evaluation mode.
        crops: one crop of each of several utterances.

    Returns:
        `heldout_bits` and `heldout_nats` a sample; `codes_gap_bits` and `speaker_gap_bits`, what is lost by
        wrong codes and by a wrong name (near zero: the decoder does not listen to them); `heldout_perplexity`
        and `heldout_active_codes` over all crops.
    """
    wave, speaker, *voice = (tensor.to(model.quantizer.codebook.device) for tensor in crops)
    codes = torch.cat([model.encode_crops(part) for part in wave.split(CROPS_AT_ONCE)])
    others = (speaker + _shift(len(model.speakers))) % len(model.speakers)
    right = _mean_nats(model, wave, codes, speaker, *voice)
    wrong_codes = _mean_nats(model, wave, codes.roll(len(codes) // 2, dims=0), speaker, *voice)
    wrong_speaker = _mean_nats(model, wave, codes, others, *voice)
    usage = torch.bincount(codes.flatten(), minlength=model.config.quantizer.num_codes)
    return {
        "heldout_bits": right / math.log(2),
        "heldout_nats": right,
        "codes_gap_bits": (wrong_codes - right) / math.log(2),
        "speaker_gap_bits": (wrong_speaker - right) / math.log(2),
        "heldout_perplexity": float(perplexity(usage)),
        "heldout_active_codes": float((usage > 0).sum()),
    }


def _shift(speakers: int) -> int:
    """How far another speaker's number lies; never a whole turn, so with two or more it is another's."""
    return (1 + speakers // 2) % speakers or 1


def _mean_nats(model: SpeechVQ, *tensors: Tensor) -> float:
    """Of wave, codes, speaker, pitch and phase, all (B, ...)."""
    parts = list(zip(*(tensor.split(CROPS_AT_ONCE) for tensor in tensors)))
    return sum(float(model.nll(*part)) * len(part[0]) for part in parts) / len(tensors[0])
