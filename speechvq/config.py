"""Every setting of every part, as frozen dataclasses; YAML in and out, and no key that nobody reads.

The defaults of the model are the paper's where the paper states them (van den Oord et al. 2017, section 4.3
and appendix); a field whose comment says "our choice" is left open there.
"""

import dataclasses
import difflib
import math
import os
import reprlib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from speechvq.errors import UserError

Config = TypeVar("Config")


def within(low: float, high: float, default: float) -> Any:
    """A number with bounds, both allowed, so that no file can ask for boundless memory."""
    return field(default=default, metadata={"bounds": (low, high)})


MAX_HOP = 65_536  # samples a code: four seconds
LARGEST = 2.0**63  # no setting is as large


@dataclass(frozen=True)
class EncoderConfig:
    """Strided convolutions over the waveform; stride s has a window of 2 s samples, as in the paper."""

    strides: tuple[int, ...] = (2, 2, 2, 2, 2, 2)  # 64x: 250 codes a second
    channels: int = within(1, 8192, 128)  # our choice
    blocks: int = within(0, 64, 0)  # residual blocks at the code rate; the paper has none

    def __post_init__(self) -> None:
        """Raises UserError for strides that are no strides, or whose product no sound is long enough for."""
        if not all(1 <= s <= 64 for s in self.strides) or math.prod(self.strides[:32]) > MAX_HOP:
            raise UserError(f"encoder.strides: expected strides from 1 to 64 of product {MAX_HOP} at most")
        if len(self.strides) > 32:
            raise UserError("encoder.strides: expected at most 32 layers")


@dataclass(frozen=True)
class QuantizerConfig:
    """The codebook and how it learns."""

    num_codes: int = within(1, 65_536, 512)  # K
    dim: int = within(1, 4096, 64)  # D, our choice
    codebook: Literal["loss", "ema"] = "loss"  # by eq. 3's second term, or by moving averages (appendix A.1)
    commitment: float = within(0, 1000, 0.25)  # beta of eq. 3
    # gamma of appendix A.1; also the memory of the usage that revival looks at
    ema_decay: float = within(0, 1, 0.99)
    # our choice: a code used less than this share of the mean is drawn anew; 0 never
    revive_below: float = within(0, 1, 0.1)


@dataclass(frozen=True)
class WaveNetConfig:
    """Dilated gated convolutions over samples (van den Oord et al. 2016); all sizes are our choice."""

    stacks: int = within(1, 32, 2)
    layers: int = within(1, 14, 10)  # a stack has dilations 1, 2, 4 ... 2^(layers - 1)
    residual: int = within(1, 4096, 64)
    skip: int = within(1, 4096, 128)
    hidden: int = within(1, 4096, 256)  # units between the skip sum and the logits
    condition: int = within(1, 4096, 128)  # units of the network over the codes and the speaker
    speaker: int = within(1, 4096, 32)  # width of a speaker's vector
    levels: int = within(2, 65_536, 256)  # mu-law levels
    pitch: bool = False  # a pitch contour as a further condition (Polyak et al. 2021); the paper has none
    short_taps: int = within(0, 64, 0)  # samples that a linear first guess is made from; the paper has none
    long_taps: int = within(0, 15, 0)  # samples around one pitch period ago in that guess

    def __post_init__(self) -> None:
        """Raises UserError for long taps without what they need."""
        if self.long_taps and not (self.pitch and self.short_taps):
            raise UserError("wavenet.long_taps: need wavenet.pitch=true and wavenet.short_taps over 0")


WAVENET_SIZES = {
    "S": WaveNetConfig(),
    "M": WaveNetConfig(stacks=3, residual=128, skip=256),
}


@dataclass(frozen=True)
class SpeechConfig:
    """The speech model: waveform, codes, waveform."""

    kind: Literal["speech"] = "speech"
    sample_rate: int = within(16_000, 16_000, 16_000)  # Hz; sound of any other rate is resampled
    # our choice: coefficient of the pre-emphasis before mu-law; 0 for none
    emphasis: float = within(0, 0.99, 0.85)
    # share of code frames replaced by a neighbour in training (Chorowski et al. 2019)
    jitter: float = within(0, 1, 0.0)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    quantizer: QuantizerConfig = field(default_factory=QuantizerConfig)
    wavenet: WaveNetConfig = field(default_factory=WaveNetConfig)

    @property
    def hop(self) -> int:
        """Samples a code."""
        return math.prod(self.encoder.strides)

    @property
    def frame_rate(self) -> float:
        """Codes a second, Hz."""
        return self.sample_rate / self.hop


@dataclass(frozen=True)
class DataConfig:
    """What is read and how it is cut."""

    manifest: str = ""
    crop: int = within(1, 1 << 24, 6_400)  # samples; a multiple of the hop
    batch: int = within(1, 65_536, 2)  # crops a step, over all processes
    workers: int = within(0, 256, 0)  # reading processes


@dataclass(frozen=True)
class TrainConfig:
    """How long and how fast to learn; all our choice."""

    steps: int = within(1, 10**9, 20_000)
    learning_rate: float = within(0, 10, 1e-3)
    warmup: int = within(0, 10**9, 200)  # steps of rising rate
    decay: float = within(0, 1, 0.3)  # last share of the steps, over which the rate falls linearly to zero
    clip: float = within(1e-9, 1e9, 1.0)  # largest gradient norm
    average: float = within(0, 1, 0.999)  # decay of the averaged weights that are evaluated and exported
    precision: Literal["fp32", "bf16"] = "fp32"
    seed: int = within(0, 2**62, 0)
    evaluate_every: int = within(1, 10**9, 500)  # steps
    evaluate_crops: int = within(2, 65_536, 32)
    save_every: int = within(1, 10**9, 500)  # steps
    keep: int = within(1, 10**6, 2)  # checkpoints kept


@dataclass(frozen=True)
class RunConfig:
    """A whole training run: what `train --config` reads."""

    model: SpeechConfig = field(default_factory=SpeechConfig)
    data: DataConfig = field(default_factory=DataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


def load(path: Path, cls: type[Config], overrides: Sequence[str] = ()) -> Config:
    """Read a configuration from YAML.

    Args:
        path: the YAML file.
        cls: the dataclass it describes.
        overrides: settings "a.b=c" laid over the file, c in YAML.

    Raises:
        UserError: unreadable file, broken YAML, unknown key, wrong type; names the file and the key.
    """
    mapping = read_yaml(path)
    try:
        for override in overrides:
            _override(mapping, override)
        return from_mapping(cls, mapping)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; aliases and tags that could run code or grow are refused by the safe loader.

    Raises:
        UserError: the file is missing, too large, not UTF-8, not YAML or not a mapping.
    """
    limit = 1 << 20
    try:
        with open(path, "rb") as file:
            raw = file.read(limit + 1)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give an existing YAML file") from None
    if len(raw) > limit:
        raise UserError(f"{path}: more than {limit} bytes is no configuration")
    try:
        mapping = _parse(raw.decode("utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not valid YAML ({' '.join(str(error).split())[:200]})") from None
    if not isinstance(mapping, dict):
        raise UserError(f"{path}: expected keys and values, found {type(mapping).__name__}")
    return mapping


def save(path: Path, config: Any, **more: Any) -> None:
    """Write a configuration as YAML, with further keys of the caller's after it; whole or not at all.

    Raises:
        OSError: the disk is full or not writable; nothing is left behind.
    """
    temporary = path.with_name(path.name + ".part")
    try:
        temporary.write_text(yaml.safe_dump(to_mapping(config) | more, sort_keys=False), encoding="utf-8")
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def to_mapping(config: Any) -> dict[str, Any]:
    """The dataclass as plain dicts, lists and scalars."""
    return _plain(dataclasses.asdict(config))


def from_mapping(cls: type[Config], mapping: Any, where: str = "") -> Config:
    """Build a dataclass from a mapping and check every key and type.

    Raises:
        UserError: names the key and what is expected there.
    """
    if cls is WaveNetConfig and isinstance(mapping, str):
        return typing.cast(Config, _size(mapping, where))
    if not isinstance(mapping, Mapping):
        raise UserError(f"{where or 'configuration'}: expected keys and values, got {_shown(mapping)}")
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(cls)
    for key in mapping:
        if key not in fields:
            raise UserError(f"unknown key {_shown(_join(where, key))}{_nearest(str(key)[:80], fields)}")
    values = {key: _value(hints[key], value, _join(where, key)) for key, value in mapping.items()}
    for key, value in values.items():
        bounds = fields[key].metadata.get("bounds")
        if bounds and not bounds[0] <= value <= bounds[1]:
            raise UserError(f"{_join(where, key)}: expected {bounds[0]} to {bounds[1]}, got {_shown(value)}")
    return cls(**values)


def _value(kind: Any, value: Any, where: str) -> Any:
    """Check one value against its type hint; YAML writes 1e-3 as a string and whole floats as integers."""
    if dataclasses.is_dataclass(kind):
        return from_mapping(typing.cast(type, kind), value, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        if value not in arguments:
            raise UserError(f"{where}: expected one of {', '.join(map(str, arguments))}, got {_shown(value)}")
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)) or not value:
            raise UserError(f"{where}: expected a list, got {_shown(value)}")
        return tuple(_value(arguments[0], item, where) for item in value)
    if origin is types.UnionType:
        return None if value is None else _value(arguments[0], value, where)
    return _number(kind, value, where) if kind in (int, float) else _exactly(kind, value, where)


def _number(kind: type, value: Any, where: str) -> Any:
    if isinstance(value, str) and kind is float:
        try:
            value = float(value)
        except ValueError:
            raise UserError(f"{where}: expected a number, got {_shown(value)}") from None
    if isinstance(value, bool) or not isinstance(value, (int, kind)):
        wanted = "a whole number" if kind is int else "a number"
        raise UserError(f"{where}: expected {wanted}, got {_shown(value)}")
    if not -LARGEST < value < LARGEST:  # false for NaN too
        raise UserError(f"{where}: expected a finite number, got {_shown(value)}")
    return kind(value)


def _exactly(kind: type, value: Any, where: str) -> Any:
    if not isinstance(value, kind):
        raise UserError(f"{where}: expected {kind.__name__}, got {_shown(value)}")
    return value


def _size(name: str, where: str) -> WaveNetConfig:
    if name not in WAVENET_SIZES:
        sizes = ", ".join(WAVENET_SIZES)
        raise UserError(f"{where}: expected a size ({sizes}) or its settings, got {_shown(name)}")
    return WAVENET_SIZES[name]


def _parse(text: str) -> Any:
    """Plain data from YAML.

    Raises:
        ValueError: whatever the library raises at bad input: it lets pass what int and datetime raise.
    """
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(str(error) or type(error).__name__) from None


def _shown(value: Any) -> str:
    """A value in an error line: short, on one line, also when it is a million lists of lists."""
    shortener = reprlib.Repr()
    shortener.maxlevel, shortener.maxstring, shortener.maxother = 2, 80, 80
    try:
        return " ".join(shortener.repr(value).split())
    except ValueError:  # Python refuses to print integers of thousands of digits
        return f"a huge {type(value).__name__}"


def _override(mapping: dict[str, Any], text: str) -> None:
    """Lay one "a.b=c" over a nested mapping, in place."""
    path, equals, raw = text.partition("=")
    if not equals or not path:
        raise UserError(f"--set {text}: expected key.key=value")
    try:
        value = _parse(raw)
    except ValueError:
        raise UserError(f"--set {text}: the value is not valid YAML") from None
    *parents, last = path.split(".")
    node = mapping
    for key in parents:
        inner = node.get(key)
        if isinstance(inner, str) and inner in WAVENET_SIZES:
            inner = to_mapping(WAVENET_SIZES[inner])
        node[key] = inner if isinstance(inner, dict) else {}
        node = node[key]
    node[last] = value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _join(where: str, key: object) -> str:
    return f"{where}.{key}" if where else str(key)


def _nearest(key: str, names: Sequence[str] | Mapping[str, Any]) -> str:
    match = difflib.get_close_matches(key, list(names), n=1)
    return f"; did you mean '{match[0]}'?" if match else f"; known: {', '.join(names)}"
