"""Training task of a prior over code sequences: crops of a codes directory, whole held-out sequences."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from speechvq.config import SequencePriorRun
from speechvq.data.code_crops import CodeSampler
from speechvq.data.code_strings import CodeString, mismatched_speakers, read_strings, speaker_indices
from speechvq.data.codes_directory import open_codes
from speechvq.errors import UserError
from speechvq.priors.sequence.code_spec import CodeSpec
from speechvq.priors.sequence.model_directory import save_prior
from speechvq.priors.sequence.prior import SequencePrior
from speechvq.priors.sequence.sampling import code_nll
from speechvq.runtime import distributed
from speechvq.training.stage import check_batch_splits, main_stage
from speechvq.training.task import TrainingTask


def build_task(config: SequencePriorRun, device: torch.device) -> TrainingTask:
    """The prior on its device and the stage of its training.

    Raises:
        UserError: codes or settings that cannot be trained on.
    """
    check(config)
    check_batch_splits("data.batch", config.data.batch)
    directory = open_codes(Path(config.data.codes))
    strings = read_strings(directory, config.data.manifest, ("train", "dev"))
    training, dev = ([s for s in strings if s.split == split] for split in ("train", "dev"))
    speakers = sorted({string.speaker for string in training}) if config.model.speaker_dim else []
    code_spec = CodeSpec(directory.num_codes, directory.frame_rate_hz, directory.codebook)
    torch.manual_seed(config.train.seed)
    prior = SequencePrior(config.model, code_spec, speakers).to(device)
    sampler = CodeSampler(training, speakers, config.data.crop, code_spec.num_codes, config.train.seed)
    chosen = np.linspace(0, len(dev) - 1, min(config.train.num_eval_items, len(dev))).astype(int)
    heldout = [dev[i] for i in chosen]
    speaker_indices(heldout, speakers)  # refuses an unknown speaker before training
    stage = main_stage(
        prior,
        lambda step: sampler.batches(
            config.data.batch, step=step, rank=distributed.rank(), world_size=distributed.world_size()
        ),
        lambda model: measure(model, heldout),
        config.train,
    )
    return TrainingTask(prior, (stage,), _export)


def check(config: SequencePriorRun) -> None:
    """Refuse settings that contradict one another.

    Raises:
        UserError: names them.
    """
    if not config.data.codes:
        raise UserError("data.codes is not set; give a codes directory: --set data.codes=DIR")
    if config.model.speaker_dim and not config.data.manifest:
        raise UserError(
            "model.speaker_dim needs the speaker of each string: --set data.manifest=DIR, or "
            "model.speaker_dim=0"
        )


def measure(prior: nn.Module, heldout: Sequence[CodeString]) -> dict[str, float]:
    """Measures on held-out strings.

    Returns:
        `heldout_bits`: negative log-likelihood, bits per code.
        `heldout_bits_per_second`: the same per second.
        `speaker_gap_bits`: its increase with the name of another speaker, for a prior conditioned on it.
    """
    assert isinstance(prior, SequencePrior)
    numbers = speaker_indices(heldout, prior.speakers)
    bits = _bits(prior, heldout, numbers)
    values = {"heldout_bits": bits, "heldout_bits_per_second": bits * prior.code_spec.frame_rate_hz}
    if len(prior.speakers) > 1:
        values["speaker_gap_bits"] = (
            _bits(prior, heldout, mismatched_speakers(numbers, len(prior.speakers))) - bits
        )
    return values


def _bits(prior: SequencePrior, strings: Sequence[CodeString], numbers: np.ndarray) -> float:
    """Bits per code over all strings."""
    nats = code_nll(prior, [string.codes for string in strings], numbers.tolist())
    return float(np.concatenate(nats).mean() / math.log(2))


def _export(folder: Path, prior: nn.Module) -> None:
    assert isinstance(prior, SequencePrior)
    save_prior(folder, prior)
