"""The smallest corpus, model and run that still have all parts."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from speechvq import config as configuration
from speechvq.audio.waveform import SAMPLE_RATE, write_waveform
from speechvq.config import (
    EncoderConfig,
    QuantizerConfig,
    SpeechConfig,
    SpeechDataConfig,
    SpeechRun,
    TrainConfig,
    WaveNetConfig,
)
from speechvq.data.manifest import Utterance, write_manifest
from speechvq.speech.model import SpeechVQ

ROOT = Path(__file__).resolve().parents[2]
SPEAKERS = ("ada", "bob", "cyd")
WAVENET = WaveNetConfig(
    stacks=2,
    layers=3,
    residual_channels=6,
    skip_channels=8,
    hidden_channels=8,
    conditioning_channels=8,
    speaker_dim=3,
    mulaw_bins=32,
)
MODEL = SpeechConfig(
    encoder=EncoderConfig(strides=(2, 2, 2), channels=8),
    quantizer=QuantizerConfig(num_codes=8, dim=4),
    wavenet=WAVENET,
)


def speech_config(codebook: str = "loss", **changes: Any) -> SpeechConfig:
    """The tiny model's configuration with another codebook mode and other changes."""
    quantizer = dataclasses.replace(MODEL.quantizer, codebook=codebook)  # type: ignore[arg-type]
    return dataclasses.replace(MODEL, quantizer=quantizer, **changes)


def speech_model(config: SpeechConfig = MODEL, seed: int = 0) -> SpeechVQ:
    """A tiny model with random weights, initialized on one batch of noise, in evaluation mode."""
    torch.manual_seed(seed)
    model = SpeechVQ(config, SPEAKERS).train()
    model(noise(4, 64 * config.hop, seed), torch.tensor([0, 1, 2, 0]))
    return model.eval()


def f0_model() -> SpeechVQ:
    """A tiny model with random weights whose decoder is conditioned on F0 and phase, in evaluation mode."""
    torch.manual_seed(0)
    wavenet = dataclasses.replace(WAVENET, condition_on_f0=True, condition_on_phase=True)
    return SpeechVQ(speech_config(wavenet=wavenet), SPEAKERS).eval()


def noise(batch: int, samples: int, seed: int = 0) -> torch.Tensor:
    """White noise at the normalized level of the package, (batch, samples)."""
    return 0.06 * torch.randn(batch, samples, generator=torch.Generator().manual_seed(seed))


def make_corpus(folder: Path) -> Path:
    """Write five utterances of 0.3 to 0.5 s for each of three speakers, and a manifest with one dev utterance
    each.
    """
    utterances = []
    for number, speaker in enumerate(SPEAKERS):
        for i in range(5):
            rng = np.random.default_rng((number, i))
            time = np.arange(4_800 + 800 * i) / SAMPLE_RATE
            f0 = 100 * (number + 1) * (1 + 0.2 * np.sin(9 * time))
            wave = 0.08 * np.sin(2 * np.pi * np.cumsum(f0) / SAMPLE_RATE) + 0.01 * rng.standard_normal(
                len(time)
            )
            path = folder / "audio" / f"{speaker}_{i}.flac"
            write_waveform(path, wave.astype(np.float32))
            split = "dev" if i == 4 else "train"
            utterances.append(Utterance(f"{speaker}_{i}", speaker, split, len(time) / SAMPLE_RATE, path))
    write_manifest(folder / "manifest.tsv", utterances)
    return folder


def run_config(
    corpus: Path, codebook: str = "loss", model: dict[str, Any] | None = None, **train: Any
) -> SpeechRun:
    """The configuration of a run of a few steps on the tiny corpus."""
    settings = {
        "steps": 20,
        "warmup": 4,
        "learning_rate": 3e-3,
        "evaluate_every": 10,
        "num_eval_items": 3,
    } | train
    return SpeechRun(
        speech_config(codebook, **(model or {})),
        SpeechDataConfig(manifest=str(corpus), crop=320, batch=2),
        TrainConfig(**settings),
    )


def write_config(folder: Path, config: SpeechRun) -> Path:
    """Write the YAML file of a run and return its path."""
    configuration.save(folder / "run.yaml", config)
    return folder / "run.yaml"


def python(
    *arguments: str, before: Sequence[str] = (), environment: Mapping[str, str] = {}, **options: Any
) -> subprocess.Popen[str]:
    """Start this Python interpreter with arguments, in the root of the checkout, with one thread.

    Args:
        arguments: of Python.
        before: a command that starts Python, such as `ip netns exec NAME`.
        environment: further variables.
        options: of Popen.
    """
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
        "CUDA_VISIBLE_DEVICES": "",
        **environment,
    }
    return subprocess.Popen(
        [*before, sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        **{"text": True, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options,
    )
