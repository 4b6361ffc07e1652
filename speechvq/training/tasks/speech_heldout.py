"""Held-out loss of a speech model, and how much its decoder uses the codes and the speaker."""

import math

import torch
from torch import Tensor

from speechvq.data.crops import Crops
from speechvq.quantizer import perplexity
from speechvq.speech.model import SpeechVQ

EVAL_BATCH = 4  # crops measured at once; bounds memory


@torch.no_grad()
def measure_heldout(model: SpeechVQ, crops: Crops) -> dict[str, float]:
    """Held-out loss: with the right codes and speaker, with another utterance's codes, with another speaker.

    Args:
        model: in evaluation mode.
        crops: one crop of each of several utterances.

    Returns:
        `heldout_bits`, `heldout_nats`: negative log-likelihood per sample.
        `codes_gap_bits`: its increase with the codes of another utterance, bits per sample; near zero, the
            decoder ignores the codes.
        `speaker_gap_bits`: its increase with another speaker, bits per sample; near zero, the decoder ignores
            the speaker.
        `heldout_perplexity`, `heldout_active_codes`: code usage over all crops.
    """
    wave, speaker, *f0_and_phase = (tensor.to(model.quantizer.codebook.device) for tensor in crops)
    codes = torch.cat([model.encode_crops(part) for part in wave.split(EVAL_BATCH)])
    others = (speaker + offset_to_another_speaker(len(model.speakers))) % len(model.speakers)
    right = _mean_nats(model, wave, codes, speaker, *f0_and_phase)
    wrong_codes = _mean_nats(model, wave, codes.roll(len(codes) // 2, dims=0), speaker, *f0_and_phase)
    wrong_speaker = _mean_nats(model, wave, codes, others, *f0_and_phase)
    usage = torch.bincount(codes.flatten(), minlength=model.config.quantizer.num_codes)
    return {
        "heldout_bits": right / math.log(2),
        "heldout_nats": right,
        "codes_gap_bits": (wrong_codes - right) / math.log(2),
        "speaker_gap_bits": (wrong_speaker - right) / math.log(2),
        "heldout_perplexity": float(perplexity(usage)),
        "heldout_active_codes": float((usage > 0).sum()),
    }


def offset_to_another_speaker(speakers: int) -> int:
    """Offset to the index of another speaker; never a multiple of the number of speakers above one."""
    return (1 + speakers // 2) % speakers or 1


def _mean_nats(model: SpeechVQ, *tensors: Tensor) -> float:
    """Negative log-likelihood in nats per sample; takes wave, codes, speaker, F0 and phase, all (B, ...)."""
    parts = list(zip(*(tensor.split(EVAL_BATCH) for tensor in tensors)))
    return sum(float(model.nll(*part)) * len(part[0]) for part in parts) / len(tensors[0])
