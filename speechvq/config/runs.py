"""Configurations of training runs: model, data and training; one class per kind of model."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from speechvq.config.images import ImageDataConfig, ImageVAEConfig, ImageVimcoConfig, ImageVQConfig
from speechvq.config.packaged import find_config
from speechvq.config.pixelcnn import GridDataConfig, PixelCNNConfig, SecondStageConfig
from speechvq.config.priors import CodesDataConfig, SequencePriorConfig
from speechvq.config.reading import from_file_mapping
from speechvq.config.speech import SpeechConfig, SpeechDataConfig
from speechvq.config.training import TrainConfig
from speechvq.config.video import VideoDataConfig, VideoPriorConfig
from speechvq.errors import UserError, short_repr
from speechvq.io.yaml_files import read_yaml


@dataclass(frozen=True)
class SpeechRun:
    """A training run of the speech model."""

    model: SpeechConfig = field(default_factory=SpeechConfig)
    data: SpeechDataConfig = field(default_factory=SpeechDataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


@dataclass(frozen=True)
class SequencePriorRun:
    """A training run of a prior over code sequences."""

    model: SequencePriorConfig = field(default_factory=SequencePriorConfig)
    data: CodesDataConfig = field(default_factory=CodesDataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


@dataclass(frozen=True)
class ImageVQRun:
    """A training run of the image VQ-VAE."""

    model: ImageVQConfig = field(default_factory=ImageVQConfig)
    data: ImageDataConfig = field(default_factory=ImageDataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


@dataclass(frozen=True)
class ImageVAERun:
    """A training run of the Gaussian image VAE."""

    model: ImageVAEConfig = field(default_factory=ImageVAEConfig)
    data: ImageDataConfig = field(default_factory=ImageDataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


@dataclass(frozen=True)
class ImageVimcoRun:
    """A training run of the image model trained by VIMCO."""

    model: ImageVimcoConfig = field(default_factory=ImageVimcoConfig)
    data: ImageDataConfig = field(default_factory=ImageDataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


@dataclass(frozen=True)
class PixelCNNRun:
    """A training run of a prior over grids of codes."""

    model: PixelCNNConfig = field(default_factory=PixelCNNConfig)
    data: GridDataConfig = field(default_factory=GridDataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


@dataclass(frozen=True)
class SecondStageRun:
    """A training run of the second stage over grids of codes."""

    model: SecondStageConfig = field(default_factory=SecondStageConfig)
    data: GridDataConfig = field(default_factory=GridDataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


@dataclass(frozen=True)
class VideoPriorRun:
    """A training run of a prior over the next frame's codes."""

    model: VideoPriorConfig = field(default_factory=VideoPriorConfig)
    data: VideoDataConfig = field(default_factory=VideoDataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


ImageRun = ImageVQRun | ImageVAERun | ImageVimcoRun
Run = SpeechRun | SequencePriorRun | ImageRun | PixelCNNRun | SecondStageRun | VideoPriorRun
RUNS: dict[str, type[Run]] = {  # by model.kind
    "speech": SpeechRun,
    "sequence": SequencePriorRun,
    "image_vqvae": ImageVQRun,
    "image_vae": ImageVAERun,
    "image_vimco": ImageVimcoRun,
    "pixelcnn": PixelCNNRun,
    "second_stage": SecondStageRun,
    "video_prior": VideoPriorRun,
}


def read_run(path: str | Path, overrides: Sequence[str] = ()) -> Run:
    """Read a run's configuration; `model.kind` selects the class, "speech" if it is missing.

    Args:
        path: a YAML file, or the name of a configuration of the package, for example "voice".
        overrides: settings "a.b=c" that override the file, c in YAML.

    Raises:
        UserError: an unknown name, an unreadable file, invalid YAML, an unknown kind or key, or a wrong type;
            names file and key.
    """
    path = find_config(path)
    mapping = read_yaml(path)
    model = mapping.get("model")
    kind = model.get("kind", "speech") if isinstance(model, dict) else "speech"
    if not isinstance(kind, str) or kind not in RUNS:
        raise UserError(f"{path}: model.kind: expected one of {', '.join(RUNS)}, got {short_repr(kind)}")
    return from_file_mapping(path, mapping, RUNS[kind], overrides)
