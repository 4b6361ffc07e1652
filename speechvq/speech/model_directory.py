"""A model on disk: `config.yaml` with the voices' names, and `model.safetensors`."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from speechvq.config import SpeechConfig, from_mapping, to_mapping
from speechvq.data.manifest import is_file_name
from speechvq.errors import UserError
from speechvq.io.hub import download, is_hub_name
from speechvq.io.model_directory import CONFIG, WEIGHTS, save_model_directory
from speechvq.io.tensors import read_tensors
from speechvq.io.yaml_files import read_yaml

BUNDLED = Path(__file__).parents[1] / "pretrained"  # models that come with the package, by name


class Saved(Protocol):
    """What a model directory holds of a speech model."""

    config: SpeechConfig
    speakers: tuple[str, ...]

    def state_dict(self) -> dict[str, Tensor]:
        """All weights and buffers by name."""
        ...


class Contents(NamedTuple):
    """A model directory, read and checked."""

    config: SpeechConfig
    speakers: list[str]
    tensors: dict[str, Tensor]  # float32 where they were saved in half
    weights: Path  # the file that they are of, for complaints


def save_model(folder: Path, model: Saved, *, half: bool = False) -> None:
    """Write a model directory; the weights first, so that a folder with a configuration is complete.

    Args:
        folder: that is made.
        model: what is saved.
        half: in half the bytes, rounded to float16; read again it is float32, and nearly the same. The codebook stays
            exact, and with it the fingerprint by which a prior knows its model.

    Raises:
        UserError: the disk is full or not writable.
    """
    tensors = model.state_dict()
    if half:
        tensors = {name: each.half() if _is_rounded(name, each) else each for name, each in tensors.items()}
    save_model_directory(folder, tensors, to_mapping(model.config) | {"speakers": list(model.speakers)})


def read_model(folder: str | Path) -> Contents:
    """Read a model directory.

    Args:
        folder: the directory, or a run directory that has one in `model/`; or the name of a bundled model, or of one
            on the hub, hub:OWNER/NAME.

    Raises:
        UserError: not a model directory; a damaged or hostile file; configuration and weights that differ in size.
    """
    folder = download(str(folder)) if is_hub_name(folder) else _named(Path(folder))
    folder = folder / "model" if (folder / "model" / CONFIG).exists() else folder
    if not (folder / CONFIG).is_file():
        raise UserError(
            f"{folder}: no model here ({CONFIG} is missing); give what `train --out` made, or its model/"
            f"{', or a name: ' + ', '.join(names) if (names := bundled_models()) else ''}"
        )
    mapping = read_yaml(folder / CONFIG)
    speakers = mapping.pop("speakers", None)
    if not isinstance(speakers, list) or not speakers or not all(isinstance(name, str) for name in speakers):
        raise UserError(f"{folder / CONFIG}: 'speakers' must list the voices' names")
    if not all(map(is_file_name, speakers)):  # conversions go into a folder of the voice's name
        raise UserError(
            f"{folder / CONFIG}: 'speakers' holds a name that cannot name a folder; do not use this model"
        )
    try:
        config = from_mapping(SpeechConfig, mapping)
    except UserError as error:
        raise UserError(f"{folder / CONFIG}: {error}") from None
    tensors = {
        name: each.float() if each.dtype == torch.float16 else each
        for name, each in read_tensors(folder / WEIGHTS).items()
    }
    _check_sizes(folder / WEIGHTS, tensors, config, len(speakers))
    return Contents(config, speakers, tensors, folder / WEIGHTS)


def _is_rounded(name: str, tensor: Tensor) -> bool:
    return tensor.dtype == torch.float32 and not name.startswith("quantizer.")


def bundled_models() -> list[str]:
    """Names of the models that come with the package."""
    return sorted(path.parent.name for path in BUNDLED.glob(f"*/{CONFIG}"))


def _named(folder: Path) -> Path:
    """A folder that is there, else the bundled model of that name."""
    return BUNDLED / folder if not folder.exists() and str(folder) in bundled_models() else folder


def _check_sizes(path: Path, tensors: Mapping[str, Tensor], config: SpeechConfig, speakers: int) -> None:
    """Find every size of a configuration in some tensor of the file, before memory is taken for a model.

    Raises:
        UserError: names the first that is not there.
    """
    wavenet, channels, dim = config.wavenet, config.encoder.channels, config.quantizer.dim
    source = config.source_filter
    decoder, layers = "decoder.wavenet", wavenet.stacks * wavenet.layers
    sizes = {
        f"encoder.layers.{len(config.encoder.strides) - 1}.bias": (channels,),
        f"encoder.blocks.{config.encoder.blocks - 1}.wide.bias": (channels,),
        "quantizer.codebook": (config.quantizer.num_codes, dim),
        f"{decoder}.conditioning.speakers.weight": (speakers, wavenet.speaker),
        f"{decoder}.conditioning.network.layers.0.bias": (wavenet.condition,),
        f"{decoder}.layers.{layers - 1}.out": (wavenet.residual + wavenet.skip, wavenet.residual),
        f"{decoder}.logits.weight": (wavenet.levels, wavenet.hidden),
    }
    if source.order:
        sizes["decoder.source_filter.tell.weight"] = (source.bands, source.units, 1)
    for name, shape in sizes.items():
        found = tuple(tensors[name].shape) if name in tensors else "missing"
        if found != shape and not name.startswith("encoder.blocks.-1"):
            raise UserError(f"{path}: tensor '{name}' is {found}, the configuration asks for {shape}")
