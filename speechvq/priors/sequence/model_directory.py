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
from speechvq.priors.sequence.code_spec import Vocabulary
from speechvq.priors.sequence.prior import SequencePrior

MOST_CODES = 65_536


def save_prior(folder: Path, prior: SequencePrior) -> None:
    """Write a model directory; the weights first, so that a folder with a configuration is complete.

    Raises:
        UserError: the disk is full or not writable.
    """
    words = {
        "num_codes": prior.vocabulary.num_codes,
        "frame_rate_hz": prior.vocabulary.frame_rate_hz,
        "codebook": prior.vocabulary.codebook,
    }
    known = {"vocabulary": words, "speakers": list(prior.speakers)}
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
    speakers, words = mapping.pop("speakers", []), mapping.pop("vocabulary", None)
    if not isinstance(speakers, list) or not all(isinstance(name, str) for name in speakers):
        raise UserError(f"{place}: 'speakers' must list the voices' names")
    try:
        vocabulary, config = _vocabulary(words), from_mapping(SequencePriorConfig, mapping)
    except UserError as error:
        raise UserError(f"{place}: {error}") from None
    if bool(config.speaker) != bool(speakers):
        raise UserError(f"{place}: 'speaker' and 'speakers' contradict one another; do not use this prior")
    tensors = read_tensors(folder / WEIGHTS)
    _check_sizes(folder / WEIGHTS, tensors, config, vocabulary.num_codes, len(speakers))
    prior = SequencePrior(config, vocabulary, speakers)
    check_tensors(folder / WEIGHTS, tensors, prior.state_dict())
    prior.load_state_dict(tensors)
    return prior.eval()


def _vocabulary(words: Any) -> Vocabulary:
    """Checked as if a stranger had written it.

    Raises:
        UserError: it is none.
    """
    try:
        vocabulary = Vocabulary(**words)
    except TypeError:
        raise UserError("'vocabulary' must give num_codes, frame_rate_hz and codebook") from None
    count, rate = vocabulary.num_codes, vocabulary.frame_rate_hz
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_CODES:
        raise UserError(f"vocabulary.num_codes: expected 1 to {MOST_CODES}")
    if not isinstance(rate, (int, float)) or isinstance(rate, bool) or not 0 < rate < 1e6:
        raise UserError("vocabulary.frame_rate_hz: expected codes a second")
    if not isinstance(vocabulary.codebook, str) or len(vocabulary.codebook) > 64:
        raise UserError("vocabulary.codebook: expected a fingerprint")
    return vocabulary


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
        sizes = {last: (net.residual + net.skip, net.residual), "network.hidden.bias": (net.hidden,)}
    else:
        units, deepest = config.gru.hidden, config.gru.layers - 1
        sizes = {f"network.gru.weight_hh_l{deepest}": (3 * units, units)}
    sizes["logits.bias"] = (num_codes,)
    if speakers:
        sizes["voices.weight"] = (speakers, config.speaker)
    for name, shape in sizes.items():
        found = tuple(tensors[name].shape) if name in tensors else "missing"
        if found != shape:
            raise UserError(f"{path}: tensor '{name}' is {found}, the configuration asks for {shape}")
