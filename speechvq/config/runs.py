"""What `train --config` reads: a model, its data and its training; a class for every kind of model."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from speechvq.config.document import read_yaml
from speechvq.config.mapping import shown
from speechvq.config.priors import CodesDataConfig, SequencePriorConfig
from speechvq.config.reading import load
from speechvq.config.speech import SpeechConfig, SpeechDataConfig
from speechvq.config.training import TrainConfig
from speechvq.errors import UserError


@dataclass(frozen=True)
class SpeechRun:
    """A training run of the speech model."""

    model: SpeechConfig = field(default_factory=SpeechConfig)
    data: SpeechDataConfig = field(default_factory=SpeechDataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


@dataclass(frozen=True)
class SequencePriorRun:
    """A training run of a prior over code strings."""

    model: SequencePriorConfig = field(default_factory=SequencePriorConfig)
    data: CodesDataConfig = field(default_factory=CodesDataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


Run = SpeechRun | SequencePriorRun
RUNS: dict[str, type[Run]] = {"speech": SpeechRun, "sequence": SequencePriorRun}  # by model.kind


def read_run(path: Path, overrides: Sequence[str] = ()) -> Run:
    """Read a run's configuration, of whatever kind its `model.kind` says; "speech" where it says none.

    Args:
        path: the YAML file.
        overrides: settings "a.b=c" laid over the file, c in YAML.

    Raises:
        UserError: unreadable file, broken YAML, unknown kind or key, wrong type; names the file and the key.
    """
    mapping = read_yaml(path)
    model = mapping.get("model")
    kind = model.get("kind", "speech") if isinstance(model, dict) else "speech"
    if not isinstance(kind, str) or kind not in RUNS:
        raise UserError(f"{path}: model.kind: expected one of {', '.join(RUNS)}, got {shown(kind)}")
    return load(path, RUNS[kind], overrides)
