"""Tiny priors, and predictable code sequences to train them on."""

import json
from pathlib import Path

import numpy as np
import torch

from speechvq.config import (
    CodesDataConfig,
    DilatedStackConfig,
    RecurrentStackConfig,
    SequencePriorConfig,
    SequencePriorRun,
    TrainConfig,
)
from speechvq.data.manifest import Utterance, write_manifest
from speechvq.data.unit_formats.npy import write_npy
from speechvq.priors.sequence.code_spec import CodeSpec
from speechvq.priors.sequence.prior import SequencePrior

CODES, RATE = 8, 50.0
CODE_SPEC = CodeSpec(CODES, RATE, "0123456789abcdef")
SPEAKERS = ("ada", "bob")
WAVENET = SequencePriorConfig(wavenet=DilatedStackConfig(2, 3, 6, 8, 8))
GRU = SequencePriorConfig(network="gru", gru=RecurrentStackConfig(2, 6))
CONDITIONED = SequencePriorConfig(wavenet=DilatedStackConfig(2, 3, 6, 8, 8), speaker_dim=3)
GRU_CONDITIONED = SequencePriorConfig(network="gru", gru=RecurrentStackConfig(1, 6), speaker_dim=3)
CONFIGS = {
    "wavenet": WAVENET,
    "gru": GRU,
    "wavenet conditioned": CONDITIONED,
    "gru conditioned": GRU_CONDITIONED,
}


def prior_of(
    config: SequencePriorConfig = WAVENET, seed: int = 0, code_spec: CodeSpec = CODE_SPEC
) -> SequencePrior:
    """A prior with random weights, in evaluation mode."""
    torch.manual_seed(seed)
    return SequencePrior(config, code_spec, SPEAKERS if config.speaker_dim else ()).eval()


def random_walk(length: int, seed: int, step: int = 1) -> np.ndarray:
    """Codes that increase by `step` with probability 0.9, else randomly, (length,), int64."""
    rng = np.random.default_rng(seed)
    steps = np.where(rng.random(length) < 0.9, step, rng.integers(CODES, size=length))
    return np.cumsum(steps) % CODES


def make_codes(folder: Path, strings: int = 8, length: int = 60) -> Path:
    """Write a codes directory and its manifest: ada steps up, bob down; the last two of each are held out."""
    utterances = []
    for speaker, step in zip(SPEAKERS, (1, -1)):
        for i in range(strings):
            write_npy(
                folder / "codes" / f"{speaker}_{i}.npy", random_walk(length + i, 100 * step + i + 200, step)
            )
            split = {strings - 2: "dev", strings - 1: "test"}.get(i, "train")
            utterances.append(
                Utterance(f"{speaker}_{i}", speaker, split, length / RATE, folder / f"{speaker}_{i}.wav")
            )
    meta = {"frame_rate_hz": RATE, "num_codes": CODES, "codebook": CODE_SPEC.codebook}
    (folder / "codes/meta.json").write_text(json.dumps(meta))
    write_manifest(folder / "manifest.tsv", utterances)
    return folder


def prior_run(folder: Path, model: SequencePriorConfig = CONDITIONED, **train: float) -> SequencePriorRun:
    """The configuration of a run of a few steps on the codes of `make_codes`."""
    settings = {
        "steps": 20,
        "warmup": 4,
        "learning_rate": 1e-2,
        "evaluate_every": 10,
        "num_eval_items": 3,
    } | train
    data = CodesDataConfig(
        codes=str(folder / "codes"), manifest=str(folder / "manifest.tsv"), crop=16, batch=4
    )
    return SequencePriorRun(model, data, TrainConfig(**settings))  # type: ignore[arg-type]
