"""Configurations as files: YAML to plain data and back; nothing in a file can run code or grow."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from speechvq.errors import UserError


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
        mapping = parse_yaml(raw.decode("utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not valid YAML ({' '.join(str(error).split())[:200]})") from None
    if not isinstance(mapping, dict):
        raise UserError(f"{path}: expected keys and values, found {type(mapping).__name__}")
    return mapping


def write_yaml(path: Path, mapping: Mapping[str, Any]) -> None:
    """Write plain data as YAML; whole or not at all.

    Raises:
        OSError: the disk is full or not writable; nothing is left behind.
    """
    temporary = path.with_name(path.name + ".part")
    try:
        temporary.write_text(yaml.safe_dump(dict(mapping), sort_keys=False), encoding="utf-8")
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def parse_yaml(text: str) -> Any:
    """Plain data from YAML.

    Raises:
        ValueError: whatever the library raises at bad input: it lets pass what int and datetime raise.
    """
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(str(error) or type(error).__name__) from None
