"""YAML files of plain data. A file cannot run code or take unbounded memory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from speechvq.errors import UserError
from speechvq.io.atomic import write_text
from speechvq.io.reading import PERMISSION_REMEDY, open_regular

_MAX_BYTES = 1 << 20


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping with the safe loader.

    Raises:
        UserError: the file is missing, too large, not UTF-8, not YAML or not a mapping.
    """
    try:
        with open_regular(path) as file:
            raw = file.read(_MAX_BYTES + 1)
    except PermissionError:
        raise UserError(f"{path}: {PERMISSION_REMEDY}") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give an existing YAML file") from None
    if len(raw) > _MAX_BYTES:
        raise UserError(f"{path}: more than {_MAX_BYTES} bytes; no configuration is that large")
    try:
        mapping = parse_yaml(raw.decode("utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not valid YAML ({' '.join(str(error).split())[:200]})") from None
    if not isinstance(mapping, dict):
        raise UserError(f"{path}: expected keys and values, found {type(mapping).__name__}")
    return mapping


def write_yaml(path: Path, mapping: Mapping[str, Any]) -> None:
    """Write plain data as YAML, atomically; parent folders are created.

    Raises:
        UserError: the disk is full or not writable.
    """
    write_text(path, yaml.safe_dump(dict(mapping), sort_keys=False))


def parse_yaml(text: str) -> Any:
    """Plain data from YAML text.

    Raises:
        ValueError: the text is not YAML. The library itself raises other errors too, from int and datetime.
    """
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(str(error) or type(error).__name__) from None
