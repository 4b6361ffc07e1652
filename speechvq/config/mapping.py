"""Conversion between plain data and dataclasses, with a check of every key and type."""

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

from speechvq.errors import UserError, short_repr

Config = TypeVar("Config")
MAX_VALUE = 2.0**63  # larger than any setting


def to_mapping(config: Any) -> dict[str, Any]:
    """The dataclass as plain dictionaries, lists and scalars."""
    return _plain(dataclasses.asdict(config))


def from_mapping(cls: type[Config], mapping: Any, where: str = "") -> Config:
    """Build a dataclass from a mapping.

    Args:
        cls: the dataclass; nested dataclasses are built too.
        mapping: its settings, or the name of a preset (see `presets_of`).
        where: key of the mapping within the file, for messages.

    Raises:
        UserError: an unknown key, a wrong type, or a number out of bounds; names the key and what is
            expected.
    """
    if isinstance(mapping, str) and (presets := presets_of(cls)):
        if mapping not in presets:
            raise UserError(
                f"{where}: expected a size ({', '.join(presets)}) or its settings, got {short_repr(mapping)}"
            )
        return presets[mapping]
    if not isinstance(mapping, Mapping):
        raise UserError(f"{where or 'configuration'}: expected keys and values, got {short_repr(mapping)}")
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(cls)
    for key in mapping:
        if key not in fields:
            raise UserError(f"unknown key {short_repr(_join(where, key))}{_nearest(str(key)[:80], fields)}")
    values = {key: _value(hints[key], value, _join(where, key)) for key, value in mapping.items()}
    for key, value in values.items():
        bounds = fields[key].metadata.get("bounds")
        if bounds and not bounds[0] <= value <= bounds[1]:
            raise UserError(
                f"{_join(where, key)}: expected {bounds[0]} to {bounds[1]}, got {short_repr(value)}"
            )
    return cls(**values)


def presets_of(cls: type[Config]) -> Mapping[str, Config]:
    """Named instances of a dataclass; a file may give the name instead of the settings."""
    return getattr(cls, "SIZES", {})


def _value(kind: Any, value: Any, where: str) -> Any:
    """One value, checked against its type hint. YAML reads 1e-3 as a string and 1 as an integer."""
    if dataclasses.is_dataclass(kind):
        return from_mapping(typing.cast(type, kind), value, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        if value not in arguments:
            raise UserError(
                f"{where}: expected one of {', '.join(map(str, arguments))}, got {short_repr(value)}"
            )
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)) or not value:
            raise UserError(f"{where}: expected a list, got {short_repr(value)}")
        return tuple(_value(arguments[0], item, where) for item in value)
    if origin is types.UnionType:
        return None if value is None else _value(arguments[0], value, where)
    return _number(kind, value, where) if kind in (int, float) else _instance(kind, value, where)


def _number(kind: type[int] | type[float], value: Any, where: str) -> int | float:
    if isinstance(value, str) and kind is float:
        try:
            value = float(value)
        except ValueError:
            raise UserError(f"{where}: expected a number, got {short_repr(value)}") from None
    if isinstance(value, bool) or not isinstance(value, (int, kind)):
        expected = "a whole number" if kind is int else "a number"
        raise UserError(f"{where}: expected {expected}, got {short_repr(value)}")
    if not -MAX_VALUE < value < MAX_VALUE:  # false for NaN too
        raise UserError(f"{where}: expected a finite number, got {short_repr(value)}")
    return kind(value)


def _instance(kind: type, value: Any, where: str) -> Any:
    if not isinstance(value, kind):
        expected = "text, in quotes in a YAML file" if kind is str else kind.__name__
        raise UserError(f"{where}: expected {expected}, got {short_repr(value)}")
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _join(where: str, key: object) -> str:
    return f"{where}.{key}" if where else str(key)


def _nearest(key: str, names: Sequence[str] | Mapping[str, Any]) -> str:
    match = difflib.get_close_matches(key, list(names), n=1)
    return f"; did you mean '{match[0]}'?" if match else f"; known: {', '.join(names)}"
