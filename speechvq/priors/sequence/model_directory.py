"""The model directory of a sequence prior; its configuration includes the code specification and speakers."""

import dataclasses
from pathlib import Path
from typing import Any

from speechvq.config import SequencePriorConfig, from_mapping, to_mapping
from speechvq.errors import UserError
from speechvq.io.model_directory import (
    find_model_directory,
    load_model_weights,
    read_model_config,
    save_model_directory,
)
from speechvq.priors.sequence.code_spec import CodeSpec
from speechvq.priors.sequence.prior import SequencePrior

MAX_CODES = 65_536


def save_prior(folder: Path, prior: SequencePrior, *, half: bool = False) -> None:
    """Write a model directory.

    Args:
        folder: created if missing.
        prior: the prior.
        half: round the weights to float16, for half the size; they are float32 again when loaded.

    Raises:
        UserError: the disk is full or not writable.
    """
    known = {"code_spec": dataclasses.asdict(prior.code_spec), "speakers": list(prior.speakers)}
    tensors = prior.state_dict()
    if half:
        tensors = {
            name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()
        }
    save_model_directory(folder, tensors, to_mapping(prior.config) | known)


def load_prior(folder: str | Path) -> SequencePrior:
    """Read a prior, in evaluation mode.

    Args:
        folder: the directory, or a run directory that has one in `model/`.

    Raises:
        UserError: there is no prior, a file is damaged or hostile, or the weights do not fit the
            configuration.
    """
    folder = find_model_directory(folder)
    mapping = read_model_config(folder, ["sequence"], what="prior over code sequences")
    speakers, fields = mapping.pop("speakers", []), mapping.pop("code_spec", None)

    def build() -> SequencePrior:
        if not isinstance(speakers, list) or not all(isinstance(name, str) for name in speakers):
            raise UserError("'speakers' must list the speakers' names")
        code_spec, config = _read_code_spec(fields), from_mapping(SequencePriorConfig, mapping)
        if bool(config.speaker_dim) != bool(speakers):
            raise UserError("'speaker_dim' and 'speakers' contradict one another; do not use this prior")
        return SequencePrior(config, code_spec, speakers)

    return load_model_weights(folder, build)


def _read_code_spec(fields: Any) -> CodeSpec:
    """A code specification from a file that is not trusted.

    Raises:
        UserError: a field is missing, unknown or out of range.
    """
    try:
        code_spec = CodeSpec(**fields)
    except TypeError:
        raise UserError("'code_spec' must give num_codes, frame_rate_hz and codebook") from None
    count, rate = code_spec.num_codes, code_spec.frame_rate_hz
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MAX_CODES:
        raise UserError(f"code_spec.num_codes: expected 1 to {MAX_CODES}")
    if not isinstance(rate, (int, float)) or isinstance(rate, bool) or not 0 < rate < 1e6:
        raise UserError("code_spec.frame_rate_hz: expected codes per second")
    if not isinstance(code_spec.codebook, str) or len(code_spec.codebook) > 64:
        raise UserError("code_spec.codebook: expected a fingerprint")
    return code_spec
