"""The JSON that `evaluate` wrote, of any subject; anything else costs one clear line."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from speechvq.errors import UserError
from speechvq.evaluate.rollout.table import rollout_rows, rollout_title
from speechvq.metrics.summary import MetricSummary

Number = float | int | None
Figures = Mapping[str, Number]
T = TypeVar("T")


class Heard(NamedTuple):
    """One conversion: whose voice it was and became, and what was heard of it."""

    source: str  # speaker
    target: str  # speaker
    hertz: float  # median pitch of the converted sound; NaN where none was found
    source_hertz: float  # median pitch of the speakers' recordings
    target_hertz: float
    vote: str  # "target", "source" or "other"


class Conversions(NamedTuple):
    """What `evaluate conversion --json` wrote."""

    voices: int  # that the classifier chose from
    heard: list[Heard]
    summary: list[MetricSummary]


class UnitFigures(NamedTuple):
    """One protocol of what `evaluate purity --json` wrote."""

    figures: Figures
    intervals: Mapping[str, tuple[float, float] | None]  # of 95 %


@dataclass(frozen=True)
class BaselineFigures:
    """What `evaluate baselines --json` wrote."""

    num_codes: int
    frame_rate_hz: float
    protocols: Mapping[str, Mapping[str, Sequence[Figures]]]  # by protocol and name, one for each seed


class AbxErrors(NamedTuple):
    """What ABX says of some units: error and interval of 95 %, NaN where nothing could be compared."""

    name: str  # "" for the run's own codes
    distance: str  # how frames were compared
    within: tuple[float, float, float]  # speakers
    across: tuple[float, float, float]


@dataclass(frozen=True)
class Abx:
    """What `evaluate abx --json` wrote."""

    items: str  # "triphone" or "phoneme"
    context: str  # "within" or "any"
    units: Sequence[AbxErrors]  # the run's own first


class Bits(NamedTuple):
    """A bound on -log2 p(x) a sub-pixel and its parts."""

    bits: float
    error: float  # standard, over pictures
    reconstruction: float
    latents: float


class SecondStageBits(NamedTuple):
    """Whether a second stage's latents are used."""

    latent_bits: float  # a picture
    bits_a_code: float
    shuffled_bits_a_code: float


class Likelihood(NamedTuple):
    """What `evaluate likelihood --json` wrote."""

    images: int
    samples: int  # of VIMCO; 0 for other models
    under: Mapping[str, Bits]  # by prior of the latents
    second_stage: SecondStageBits | None


class RolloutTables(NamedTuple):
    """What `evaluate rollout --json` wrote, as it is printed."""

    title: str
    tables: Sequence[Sequence[Sequence[str]]]  # rows of cells, the header first


def read_conversions(path: Path) -> Conversions:
    """What `evaluate conversion --json` wrote.

    Raises:
        UserError: no such file, or another content.
    """
    return _read(path, "conversion", _conversions)


def read_purity(path: Path) -> dict[str, UnitFigures]:
    """What `evaluate purity --json` wrote, by protocol.

    Raises:
        UserError: no such file, or another content.
    """
    return _read(path, "purity", _purity)


def read_baselines(path: Path) -> BaselineFigures:
    """What `evaluate baselines --json` wrote.

    Raises:
        UserError: no such file, or another content.
    """
    return _read(path, "baselines", _baselines)


def read_abx(path: Path) -> Abx:
    """What `evaluate abx --json` wrote.

    Raises:
        UserError: no such file, or another content.
    """
    return _read(path, "abx", _abx)


def read_likelihood(path: Path) -> Likelihood:
    """What `evaluate likelihood --json` wrote.

    Raises:
        UserError: no such file, or another content.
    """
    return _read(path, "likelihood", _likelihood)


def read_rollout(path: Path) -> RolloutTables:
    """What `evaluate rollout --json` wrote.

    Raises:
        UserError: no such file, or another content.
    """
    return _read(path, "rollout", lambda found: RolloutTables(rollout_title(found), rollout_rows(found)))


def _read(path: Path, subject: str, parse: Callable[[Any], T]) -> T:
    try:
        return parse(json.loads(path.read_bytes()))
    except OSError as error:
        raise UserError(
            f"{path}: {error.strerror}; write it with `evaluate {subject} --json {path}`"
        ) from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError):
        raise UserError(
            f"{path}: not the numbers that `evaluate {subject} --json` writes; write it again"
        ) from None


def _conversions(content: Any) -> Conversions:
    heard = [
        Heard(
            _text(row["source"]),
            _text(row["target"]),
            _float(row["converted_f0_hz"]),
            _float(row["source_speaker_f0_hz"]),
            _float(row["target_speaker_f0_hz"]),
            _text(row["classified_as"]),
        )
        for row in content["conversions"]
    ]
    summary = []
    for row in content["summary"].values():
        texts = {key: _text(row[key]) for key in MetricSummary._fields[:3]}
        summary.append(MetricSummary(**texts, **{key: _float(row[key]) for key in MetricSummary._fields[3:]}))
    voices = int(_float(content["voices"]))
    return Conversions(voices, heard, [each._replace(count=int(each.count)) for each in summary])


def _purity(content: Any) -> dict[str, UnitFigures]:
    protocols = {}
    for name in ("all", "edges_trimmed"):
        bounds = {
            key: None if pair is None else (_float(pair[0]), _float(pair[1]))
            for key, pair in content["intervals"][name].items()
        }
        protocols[name] = UnitFigures(_figures(content[name]), bounds)
    return protocols


def _baselines(content: Any) -> BaselineFigures:
    protocols = {
        protocol: {_text(name): [_figures(seed) for seed in seeds] for name, seeds in rows.items()}
        for protocol, rows in content["protocols"].items()
    }
    if not all(seeds for rows in protocols.values() for seeds in rows.values()):
        raise ValueError
    return BaselineFigures(int(_float(content["num_codes"])), _float(content["frame_rate_hz"]), protocols)


def _abx(content: Any) -> Abx:
    units = {"": content, **content["baselines"]}
    errors = [
        AbxErrors(_text(name), _text(each["distance"]), _errors(each["within"]), _errors(each["across"]))
        for name, each in units.items()
    ]
    return Abx(_text(content["items"]), _text(content["context"]), errors)


def _likelihood(content: Any) -> Likelihood:
    names = ("bits_per_dim", "standard_error", "reconstruction", "latents")
    under = {
        _text(prior): Bits(*(_float(values[name]) for name in names))
        for prior, values in content["under"].items()
    }
    stage = content.get("second_stage")
    second = (
        None if stage is None else SecondStageBits(*(_float(stage[name]) for name in SecondStageBits._fields))
    )
    return Likelihood(int(_float(content["images"])), int(_float(content.get("samples", 0))), under, second)


def _errors(content: Any) -> tuple[float, float, float]:
    return _float(content["error"]), _float(content["low"]), _float(content["high"])


def _figures(content: Any) -> dict[str, Number]:
    """Figures by name; those that the page shows must be there."""
    figures = {key: None if value is None else _number(value) for key, value in content.items()}
    if missing := {"frames", "num_phones", "phone_purity"} - figures.keys():
        raise LookupError(missing)
    return figures


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _float(value: Any) -> float:
    """A number; NaN for None, which stands for it in JSON."""
    return math.nan if value is None else float(_number(value))


def _number(value: Any) -> float | int:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError
    return value
