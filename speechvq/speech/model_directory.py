"""A model on disk: `config.yaml` with the voices' names, and `model.safetensors`."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from speechvq.audio.manifest import is_file_name
from speechvq.config import SpeechConfig, from_mapping, read_yaml, save
from speechvq.errors import UserError
from speechvq.speech.model import SpeechVQ
from speechvq.weights import check_tensors, read_tensors, write_tensors

CONFIG, WEIGHTS = "config.yaml", "model.safetensors"


def save_model(folder: Path, model: SpeechVQ) -> None:
    """Write a model directory; the weights first, so that a folder with a configuration is complete.

    Raises:
        UserError: the disk is full or not writable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_tensors(folder / WEIGHTS, model.state_dict())
        save(folder / CONFIG, model.config, speakers=list(model.speakers))
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from None


def load_model(folder: str | Path) -> SpeechVQ:
    """Read a model directory, ready to encode and speak.

    Args:
        folder: the directory, or a run directory that has one in `model/`.

    Raises:
        UserError: not a model directory; a damaged or hostile file; configuration and weights that differ.
    """
    folder = Path(folder)
    folder = folder / "model" if (folder / "model" / CONFIG).exists() else folder
    if not (folder / CONFIG).is_file():
        raise UserError(
            f"{folder}: no model here ({CONFIG} is missing); give what `train --out` made, or its model/"
        )
    mapping = read_yaml(folder / CONFIG)
    speakers = mapping.pop("speakers", None)
    if not isinstance(speakers, list) or not speakers or not all(isinstance(name, str) for name in speakers):
        raise UserError(f"{folder / CONFIG}: 'speakers' must list the voices' names")
    if not all(map(is_file_name, speakers)):  # conversions go into a folder of the voice's name
        raise UserError(f"{folder / CONFIG}: 'speakers' holds a name that cannot name a folder; do not use this model")
    try:
        config = from_mapping(SpeechConfig, mapping)
    except UserError as error:
        raise UserError(f"{folder / CONFIG}: {error}") from None
    tensors = read_tensors(folder / WEIGHTS)
    _check_sizes(folder / WEIGHTS, tensors, config, len(speakers))
    model = SpeechVQ(config, speakers)
    check_tensors(folder / WEIGHTS, tensors, model.state_dict())
    model.load_state_dict(tensors)
    return model.eval()


def _check_sizes(path: Path, tensors: Mapping[str, Tensor], config: SpeechConfig, speakers: int) -> None:
    """Find every size of a configuration in some tensor of the file, before memory is taken for a model.

    Raises:
        UserError: names the first that is not there.
    """
    wavenet, channels, dim = config.wavenet, config.encoder.channels, config.quantizer.dim
    decoder, layers = "decoder.wavenet", wavenet.stacks * wavenet.layers
    sizes = {
        f"encoder.layers.{len(config.encoder.strides) - 1}.bias": (channels,),
        f"encoder.blocks.{config.encoder.blocks - 1}.wide.bias": (channels,),
        "quantizer.codebook": (config.quantizer.num_codes, dim),
        f"{decoder}.conditioning.speakers.weight": (speakers, wavenet.speaker),
        f"{decoder}.conditioning.near.bias": (wavenet.condition,),
        f"{decoder}.layers.{layers - 1}.out": (wavenet.residual + wavenet.skip, wavenet.residual),
        f"{decoder}.logits.weight": (wavenet.levels, wavenet.hidden),
    }
    for name, shape in sizes.items():
        found = tuple(tensors[name].shape) if name in tensors else "missing"
        if found != shape and not name.startswith("encoder.blocks.-1"):
            raise UserError(f"{path}: tensor '{name}' is {found}, the configuration asks for {shape}")
