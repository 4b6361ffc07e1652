"""A prior on disk: `config.yaml` with what its codes are and the voices' names, and `model.safetensors`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from speechvq.config import SequencePriorConfig, from_mapping, to_mapping
from speechvq.errors import UserError
from speechvq.io.model_directory import CONFIG, WEIGHTS, save_model_directory
from speechvq.io.tensors import check_tensors, read_tensors
from speechvq.io.yaml_files import read_yaml
from speechvq.priors.sequence.code_spec import CodeSpec
from speechvq.priors.sequence.prior import SequencePrior

MOST_CODES = 65_536


def save_prior(folder: Path, prior: SequencePrior) -> None:
    """Write a model directory; the weights first, so that a folder with a configuration is complete.

    Raises:
        UserError: the disk is full or not writable.
    """
    words = {
        "num_codes": prior.code_spec.num_codes,
        "frame_rate_hz": prior.code_spec.frame_rate_hz,
        "codebook": prior.code_spec.codebook,
    }
    known = {"code_spec": words, "speakers": list(prior.speakers)}
    save_model_directory(folder, prior.state_dict(), to_mapping(prior.config) | known)


def load_prior(folder: str | Path) -> SequencePrior:
    """Read a prior, ready to measure and to sample.

    Args:
        folder: the directory, or a run directory that has one in `model/`.

    Raises:
        UserError: no prior; a damaged or hostile file; configuration and weights that differ.
    """
    folder = Path(folder)
    folder = folder / "model" if (folder / "model" / CONFIG).exists() else folder
    place = folder / CONFIG
    if not place.is_file():
        raise UserError(
            f"{folder}: no prior here ({CONFIG} is missing); give what `train --out` made of a prior"
        )
    mapping = read_yaml(place)
    if mapping.get("kind") != "sequence":
        raise UserError(
            f"{place}: no prior over code strings; give what `train --out` made with model.kind: sequence"
        )
    speakers, words = mapping.pop("speakers", []), mapping.pop("code_spec", None)
    if not isinstance(speakers, list) or not all(isinstance(name, str) for name in speakers):
        raise UserError(f"{place}: 'speakers' must list the voices' names")
    try:
        code_spec, config = _read_code_spec(words), from_mapping(SequencePriorConfig, mapping)
    except UserError as error:
        raise UserError(f"{place}: {error}") from None
    if bool(config.speaker_dim) != bool(speakers):
        raise UserError(
            f"{place}: 'speaker_dim' and 'speakers' contradict one another; do not use this prior"
        )
    tensors = read_tensors(folder / WEIGHTS)
    _check_sizes(folder / WEIGHTS, tensors, config, code_spec.num_codes, len(speakers))
    prior = SequencePrior(config, code_spec, speakers)
    check_tensors(folder / WEIGHTS, tensors, prior.state_dict())
    prior.load_state_dict(tensors)
    return prior.eval()


def _read_code_spec(words: Any) -> CodeSpec:
    """Checked as if a stranger had written it.

    Raises:
        UserError: it is none.
    """
    try:
        code_spec = CodeSpec(**words)
    except TypeError:
        raise UserError("'code_spec' must give num_codes, frame_rate_hz and codebook") from None
    count, rate = code_spec.num_codes, code_spec.frame_rate_hz
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_CODES:
        raise UserError(f"code_spec.num_codes: expected 1 to {MOST_CODES}")
    if not isinstance(rate, (int, float)) or isinstance(rate, bool) or not 0 < rate < 1e6:
        raise UserError("code_spec.frame_rate_hz: expected codes per second")
    if not isinstance(code_spec.codebook, str) or len(code_spec.codebook) > 64:
        raise UserError("code_spec.codebook: expected a fingerprint")
    return code_spec


def _check_sizes(
    path: Path, tensors: Mapping[str, Tensor], config: SequencePriorConfig, num_codes: int, speakers: int
) -> None:
    """Find every size of a configuration in some tensor of the file, before memory is taken for a model.

    Raises:
        UserError: names the first that is not there.
    """
    if config.network == "wavenet":
        net = config.wavenet
        last = f"network.layers.{net.stacks * net.layers - 1}.out.weight"
        sizes = {
            last: (net.residual_channels + net.skip_channels, net.residual_channels),
            "network.hidden.bias": (net.hidden_channels,),
        }
    else:
        units, deepest = config.gru.hidden_size, config.gru.layers - 1
        sizes = {f"network.gru.weight_hh_l{deepest}": (3 * units, units)}
    sizes["to_logits.bias"] = (num_codes,)
    if speakers:
        sizes["speaker_embedding.weight"] = (speakers, config.speaker_dim)
    for name, shape in sizes.items():
        found = tuple(tensors[name].shape) if name in tensors else "missing"
        if found != shape:
            raise UserError(f"{path}: tensor '{name}' is {found}, the configuration asks for {shape}")
