"""All settings as frozen dataclasses, read from and written to YAML; unknown keys are errors."""

from speechvq.config.mapping import from_mapping, to_mapping
from speechvq.config.packaged import find_config, packaged_configs
from speechvq.config.priors import (
    CodesDataConfig,
    DilatedStackConfig,
    RecurrentStackConfig,
    SequencePriorConfig,
)
from speechvq.config.quantizer import QuantizerConfig
from speechvq.config.reading import load, save
from speechvq.config.runs import ImageRun, Run, SequencePriorRun, SpeechRun, read_run
from speechvq.config.speech import (
    WAVENET_SIZES,
    EncoderConfig,
    MaskedPredictionConfig,
    SourceFilterConfig,
    SpeechConfig,
    SpeechDataConfig,
    VocoderConfig,
    WaveNetConfig,
)
from speechvq.config.training import TrainConfig

__all__ = [
    "WAVENET_SIZES",
    "CodesDataConfig",
    "DilatedStackConfig",
    "EncoderConfig",
    "ImageRun",
    "MaskedPredictionConfig",
    "QuantizerConfig",
    "RecurrentStackConfig",
    "Run",
    "SequencePriorConfig",
    "SequencePriorRun",
    "SourceFilterConfig",
    "SpeechConfig",
    "SpeechDataConfig",
    "SpeechRun",
    "TrainConfig",
    "VocoderConfig",
    "WaveNetConfig",
    "find_config",
    "from_mapping",
    "load",
    "packaged_configs",
    "read_run",
    "save",
    "to_mapping",
]
