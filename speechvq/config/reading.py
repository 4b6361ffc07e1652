"""Reading and writing of configuration files, with overrides from `--set`."""

import dataclasses
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from speechvq.config.mapping import Config, from_mapping, presets_of, to_mapping
from speechvq.errors import UserError
from speechvq.io.yaml_files import parse_yaml, read_yaml, write_yaml


def load(path: Path, cls: type[Config], overrides: Sequence[str] = ()) -> Config:
    """Read a configuration from YAML.

    Args:
        path: the YAML file.
        cls: the dataclass it describes.
        overrides: settings "a.b=c" that override the file, c in YAML.

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
    try:
        value = parse_yaml(raw)
    except ValueError:
        raise UserError(f"--set {text}: the value is not valid YAML") from None
    *parents, last = path.split(".")
    node = mapping
    kind: Any = cls
    for key in parents:
        kind = typing.get_type_hints(kind).get(key) if dataclasses.is_dataclass(kind) else None
        inner = node.get(key)
        if isinstance(inner, str) and inner in presets_of(kind):  # a preset with further changes
            inner = to_mapping(presets_of(kind)[inner])
        node[key] = inner if isinstance(inner, dict) else {}
        node = node[key]
    node[last] = value
