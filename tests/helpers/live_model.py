"""The smallest model that can convert a stream, and something like speech."""

import dataclasses

import numpy as np
import torch

from helpers.tiny import MODEL, WAVENET
from speechvq.config import EncoderConfig, SourceFilterConfig, VocoderConfig
from speechvq.speech.model import SpeechVQ

CONFIG = dataclasses.replace(
    MODEL,
    encoder=EncoderConfig((160,), 8, mel_bands=20, residual_blocks=2, dilations=(1, 2), lookahead_frames=2),
    wavenet=dataclasses.replace(WAVENET, condition_on_f0=True, condition_on_phase=True),
    source_filter=SourceFilterConfig(
        filter_order=4, num_harmonics=6, channels=8, mel_bands=8, depth=2, lookahead_frames=0
    ),
    vocoder=VocoderConfig(channels=8, hidden_channels=8, layers=2, lookahead_frames=0),
)


def live_model() -> SpeechVQ:
    """A model of ada and bob with random weights, in evaluation mode."""
    torch.manual_seed(0)
    made = SpeechVQ(CONFIG, ["ada", "bob"])
    for parameter in made.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    made.quantizer.codebook.data = torch.randn_like(made.quantizer.codebook)
    made.quantizer.initialized.fill_(True)
    made.speaker_f0.copy_(torch.tensor([120.0, 200.0]))
    return made.eval()


def speech(seconds: float, seed: int = 0) -> np.ndarray:
    """Harmonics of a moving F0 with pauses, and some noise; (T,), float32, 16 kHz."""
    rng, time = np.random.default_rng(seed), np.arange(round(seconds * 16_000)) / 16_000
    cycles = np.cumsum(130 * 2 ** (0.3 * np.sin(2 * np.pi * 1.3 * time))) / 16_000
    wave = sum(np.sin(2 * np.pi * k * cycles) / k for k in range(1, 12)) * 0.05
    return (wave * ((time % 0.8) < 0.6) + 0.001 * rng.standard_normal(len(time))).astype(np.float32)
