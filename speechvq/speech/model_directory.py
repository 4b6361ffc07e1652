"""The model directory of a speech model: bundled, on the disk or on the hub."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from speechvq.config import SpeechConfig, from_mapping, to_mapping
from speechvq.errors import UserError
from speechvq.io.hub import PRIOR, is_hub_name
from speechvq.io.model_directory import (
    CONFIG,
    WEIGHTS,
    find_model_directory,
    load_model_weights,
    read_model_config,
    save_model_directory,
)
from speechvq.io.names import is_file_name, normalized

if TYPE_CHECKING:  # PyTorch takes seconds; a name without a model is refused before
    from torch import Tensor, nn

BUNDLED = Path(__file__).parents[1] / "pretrained"  # models that come with the package, by name
Model = TypeVar("Model", bound="nn.Module")


class SpeechModel(Protocol):
    """What is saved of a speech model."""

    config: SpeechConfig
    speakers: tuple[str, ...]

    def state_dict(self) -> "dict[str, Tensor]":
        """All parameters and buffers by name."""
        ...


def save_model(folder: Path, model: SpeechModel, *, half: bool = False) -> None:
    """Write a model directory with the speakers' names.

    Args:
        folder: created if missing.
        model: the model.
        half: round the weights to float16, for half the size; they are float32 again when loaded. The
            codebook stays exact, so a prior still recognizes the model by its fingerprint.

    Raises:
        UserError: the disk is full or not writable.
    """
    tensors = model.state_dict()
    if half:
        tensors = {
            name: tensor.half() if _is_rounded(name, tensor) else tensor for name, tensor in tensors.items()
        }
    save_model_directory(folder, tensors, to_mapping(model.config) | {"speakers": list(model.speakers)})


def load_speech_model(name: str | Path, build: Callable[[SpeechConfig, list[str]], Model]) -> Model:
    """Load a speech model, in evaluation mode.

    Args:
        name: a model directory, a run directory, the name of a bundled model, or hub:OWNER/NAME.
        build: makes the model from configuration and speakers' names.

    Raises:
        UserError: no speech model there, a damaged file, or weights that differ from the configuration.
    """
    from speechvq.audio.f0 import MAX_F0, MIN_F0

    folder, mapping = _read_config(name)
    speakers = _speakers(folder, mapping)
    model = load_model_weights(
        folder,
        lambda: build(from_mapping(SpeechConfig, mapping), speakers),
        shapes=lambda: _shapes(from_mapping(SpeechConfig, mapping), len(speakers)),
    )
    speaker_f0 = model.get_buffer("speaker_f0")
    if not all(f0 == 0 or MIN_F0 / 2 <= f0 <= 2 * MAX_F0 for f0 in speaker_f0.tolist()):
        raise UserError(f"{folder / WEIGHTS}: damaged: a speaker's mean F0 is not that of a voice")
    return model


def check_speech_model(name: str | Path) -> None:
    """Refuse a name without a speech model, without its weights and without PyTorch.

    Raises:
        UserError: as `read_speakers`. A model of the hub is not looked at, because that needs the network.
    """
    if not is_hub_name(name):
        read_speakers(name)


def read_speakers(name: str | Path) -> list[str]:
    """Names of a model's speakers, without its weights.

    Raises:
        UserError: no speech model there, or a damaged configuration.
    """
    return [normalized(speaker) for speaker in _speakers(*_read_config(name))]


def _read_config(name: str | Path) -> tuple[Path, dict[str, Any]]:
    """The model directory and its configuration."""
    folder = find_speech_model(name)
    return folder, read_model_config(folder, ["speech"], what="speech model")


def _speakers(folder: Path, mapping: dict[str, Any]) -> list[str]:
    """Take the speakers' names out of a configuration."""
    speakers = mapping.pop("speakers", None)
    if not isinstance(speakers, list) or not speakers or not all(isinstance(name, str) for name in speakers):
        raise UserError(f"{folder / CONFIG}: 'speakers' must list the speakers' names")
    if not all(map(is_file_name, speakers)):  # conversions go into a folder with the speaker's name
        raise UserError(
            f"{folder / CONFIG}: 'speakers' holds a name that cannot name a folder; do not use this model"
        )
    return speakers


def find_speech_model(name: str | Path) -> Path:
    """The model directory itself.

    Args:
        name: a model directory, a run directory, the name of a bundled model, or hub:OWNER/NAME.

    Raises:
        UserError: no model directory there.
    """
    place = name if is_hub_name(name) else _bundled_or_folder(Path(name))
    names = ", ".join(bundled_models())
    return find_model_directory(place, hint=f", or a name: {names}" if names else "")


def find_prior(name: str | Path) -> Path | None:
    """The prior that comes with a speech model: the folder `prior` of its model directory or run directory.

    Args:
        name: as of `find_speech_model`; a model of the hub is downloaded.

    Raises:
        UserError: no model there.
    """
    folder = find_speech_model(name)
    run = folder if is_hub_name(name) else _bundled_or_folder(Path(name))
    for candidate in (folder / PRIOR, run / PRIOR):
        if (candidate / CONFIG).is_file() or (candidate / "model" / CONFIG).is_file():
            return candidate
    return None


def bundled_models() -> list[str]:
    """Names of the models that come with the package."""
    return sorted(path.parent.name for path in BUNDLED.glob(f"*/{CONFIG}"))


def _is_rounded(name: str, tensor: "Tensor") -> bool:
    import torch

    return tensor.dtype == torch.float32 and not name.startswith("quantizer.")


def _bundled_or_folder(folder: Path) -> Path:
    """An existing folder, else the bundled model of that name."""
    return BUNDLED / folder if not folder.exists() and str(folder) in bundled_models() else folder


def _shapes(config: SpeechConfig, speakers: int) -> dict[str, tuple[int, ...]]:
    """Shapes of tensors that together contain every size of a configuration."""
    wavenet, channels, dim = config.wavenet, config.encoder.channels, config.quantizer.dim
    source, vocoder = config.source_filter, config.vocoder
    decoder, layers = "decoder.wavenet", wavenet.stacks * wavenet.layers
    shapes: dict[str, tuple[int, ...]] = {
        f"encoder.layers.{len(config.encoder.strides) - 1}.bias": (channels,),
        "quantizer.codebook": (config.quantizer.num_codes, dim),
    }
    if vocoder.channels:
        shapes |= {
            "decoder.speakers.weight": (speakers, wavenet.speaker_dim),
            f"decoder.vocoder.layers.{vocoder.layers - 1}.expand.weight": (
                vocoder.hidden_channels,
                vocoder.channels,
            ),
        }
    else:
        shapes |= {
            f"{decoder}.conditioning.speaker_embedding.weight": (speakers, wavenet.speaker_dim),
            f"{decoder}.conditioning.network.layers.0.bias": (wavenet.conditioning_channels,),
            f"{decoder}.layers.{layers - 1}.out": (
                wavenet.residual_channels + wavenet.skip_channels,
                wavenet.residual_channels,
            ),
            f"{decoder}.logits.weight": (wavenet.mulaw_bins, wavenet.hidden_channels),
        }
    if config.encoder.residual_blocks:
        shapes[f"encoder.blocks.{config.encoder.residual_blocks - 1}.wide.bias"] = (channels,)
    if source.filter_order:
        shapes["decoder.source_filter.mel_head.weight"] = (source.mel_bands, source.channels, 1)
    return shapes
