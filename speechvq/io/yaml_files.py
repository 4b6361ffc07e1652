"""YAML files of plain data. A file cannot run code or take unbounded memory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import ScalarNode

from speechvq.errors import UserError
from speechvq.io.atomic import write_text
from speechvq.io.reading import PERMISSION_REMEDY, open_regular

_MAX_BYTES = 1 << 18  # bytes; ours are a few kilobytes, 10,000 speakers are 150
_MAX_NODES = 30_000  # keys, values and collections; bounds the time to about two seconds
_ERRORS = (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
_INTEGER, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"


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
    """Plain data from YAML text. A number with colons, as in 1:30, is a string.

    Raises:
        ValueError: the text is not YAML, or too large. The library itself raises other errors too, from int
            and datetime.
    """
    if len(text) > _MAX_BYTES:
        raise ValueError(f"more than {_MAX_BYTES} characters")
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except (
        yaml.YAMLError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise ValueError(str(error) or type(error).__name__) from None


class _Loader(yaml.SafeLoader):
    """The safe loader in bounded time, without the numbers to the base 60 of YAML 1.1."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Count the nodes: the library takes 10 s and more for a megabyte of small ones."""
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise ValueError(f"more than {_MAX_NODES} keys and values; no configuration is that large")
        return super().compose_node(parent, index)

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        """A plain scalar with a colon is no number."""
        tag = super().resolve(kind, value, implicit)
        is_sexagesimal = kind is ScalarNode and tag in (_INTEGER, _FLOAT) and ":" in value
        return "tag:yaml.org,2002:str" if is_sexagesimal else tag
