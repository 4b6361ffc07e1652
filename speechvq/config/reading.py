"""Reading and writing of configuration files, with overrides from `--set`."""

import csv
import dataclasses
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from speechvq.config.mapping import Config, from_mapping, presets_of, to_mapping
from speechvq.errors import UserError
from speechvq.io.yaml_files import parse_yaml, read_yaml, write_yaml


def load(path: Path, cls: type[Config], overrides: Sequence[str] = ()) -> Config:
    """Read a configuration from YAML.

    Args:
        path: the YAML file.
        cls: the dataclass it describes.
        overrides: settings "a.b=c" that override the file. c is YAML, but for a setting that is text: that
            takes c literally, spaces, "#" and digits included.

    Raises:
        UserError: an unreadable file, invalid YAML, an unknown key, or a wrong type; names file and key.
    """
    return from_file_mapping(path, read_yaml(path), cls, overrides)


def from_file_mapping(
    path: Path, mapping: dict[str, Any], cls: type[Config], overrides: Sequence[str] = ()
) -> Config:
    """Configuration from the mapping of a YAML file; arguments and errors as of `load`.

    Args:
        path: the file, for messages.
        mapping: its content; changed in place.
        cls: see `load`.
        overrides: see `load`.
    """
    try:
        for override in overrides:
            _override(mapping, cls, override)
        return from_mapping(cls, mapping)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def save(path: Path, config: Any) -> None:
    """Write a configuration as YAML, atomically.

    Raises:
        UserError: the disk is full or not writable.
    """
    write_yaml(path, to_mapping(config))


def _override(mapping: dict[str, Any], cls: type, text: str) -> None:
    """Apply one override "a.b=c" to the nested mapping of a dataclass, in place."""
    path, equals, raw = text.partition("=")
    if not equals or not path:
        raise UserError(f"--set {text}: expected key.key=value")
    *parents, last = path.split(".")
    node = mapping
    kind: Any = cls
    for key in parents:
        kind = _kind_of(kind, key)
        inner = node.get(key)
        if isinstance(inner, str) and inner in presets_of(kind):  # a preset with further changes
            inner = to_mapping(presets_of(kind)[inner])
        node[key] = inner if isinstance(inner, dict) else {}
        node = node[key]
    try:
        node[last] = _setting(_kind_of(kind, last), raw)
    except ValueError:
        raise UserError(f"--set {text}: the value is not valid YAML") from None


def _kind_of(cls: Any, key: str) -> Any:
    """Type of a field of a dataclass; None if there is no such field."""
    return typing.get_type_hints(cls).get(key) if dataclasses.is_dataclass(cls) else None


def _setting(kind: Any, raw: str) -> Any:
    """The value of a setting on the command line.

    Text is not YAML, which would cut "take #2" at the "#" and read 2024 as a number.

    Args:
        kind: type of the setting.
        raw: its text.

    Raises:
        ValueError: not YAML, although the setting is no text.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is str or (origin is Literal and raw in arguments):
        return raw
    if origin is types.UnionType and str in arguments:
        return None if raw == "null" else raw
    if origin is tuple and arguments[0] is str:
        listed = raw.strip().removeprefix("[").removesuffix("]")
        return [item.strip() for row in csv.reader([listed], skipinitialspace=True) for item in row]
    return parse_yaml(raw)
