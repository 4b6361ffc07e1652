"""Dataclasses and named tuples to JSON values and back; every key and every type is checked on reading."""

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

import numpy as np

T = TypeVar("T")
# The type of a field whose own fields are written beside it, without a key for it.
Flat = Annotated[T, "flat"]


def to_json(value: Any) -> Any:
    """A value as dicts, lists and scalars; NaN and infinities become None, arrays become lists.

    A field with a default is left out while it has that default.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        content: dict[str, Any] = {}
        flat = _flat_fields(type(value))
        for field in dataclasses.fields(value):
            item = getattr(value, field.name)
            if field.name in flat:
                content |= to_json(item)
            elif field.default is dataclasses.MISSING or item != field.default:
                content[field.name] = to_json(item)
        return content
    if hasattr(value, "_asdict"):
        return {key: to_json(item) for key, item in value._asdict().items()}
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [to_json(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def from_json(kind: type[T], value: Any, where: str = "") -> T:
    """Build a value of a type from what `to_json` made of one; keys that the type does not have are ignored.

    Args:
        kind: a dataclass, named tuple, `list[...]`, `dict[str, ...]`, `tuple[...]`, `Literal[...]`, a union
            with None, or a scalar type. None becomes NaN where a float is expected.
        value: of a JSON file.
        where: the keys that lead to the value, for messages.

    Raises:
        ValueError: a key is missing or a value has another type; the message names it.
    """
    return typing.cast(T, _decode(kind, value, where))


def _decode(kind: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return None if value is None else _decode(arguments[0], value, where)
    if origin is Literal:
        return value if value in arguments else _refuse(f"one of {', '.join(arguments)}", value, where)
    if origin is dict:
        items = _checked(dict, value, "keys and values", where).items()
        return {key: _decode(arguments[1], item, _join(where, key)) for key, item in items}
    if origin in (list, tuple):
        return _decode_list(origin, arguments, _checked(list, value, "a list", where), where)
    if dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"):
        return _decode_fields(kind, _checked(dict, value, "keys and values", where), where)
    return _decode_scalar(kind, value, where)


def _decode_list(origin: Any, arguments: Sequence[Any], items: list[Any], where: str) -> Any:
    if origin is tuple and Ellipsis not in arguments:
        if len(items) != len(arguments):
            _refuse(f"{len(arguments)} values", items, where)
        return tuple(_decode(kind, item, where) for kind, item in zip(arguments, items))
    return origin(_decode(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(items))


def _decode_fields(kind: Any, content: Mapping[str, Any], where: str) -> Any:
    hints = typing.get_type_hints(kind)
    if dataclasses.is_dataclass(kind):
        fields = dataclasses.fields(kind)
        flat = _flat_fields(typing.cast(type, kind))
        optional = {field.name for field in fields if field.default is not dataclasses.MISSING}
        names = [field.name for field in fields]
    else:
        flat, optional, names = frozenset(), set(kind._field_defaults), list(kind._fields)
    values = {}
    for name in names:
        if name in flat:
            values[name] = _decode(hints[name], content, where)
        elif name in content:
            values[name] = _decode(hints[name], content[name], _join(where, name))
        elif name not in optional:
            raise ValueError(f"{_join(where, name)} is missing")
    return kind(**values)


@functools.cache
def _flat_fields(kind: type) -> frozenset[str]:
    """Names of the fields of type Flat."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return frozenset(name for name, hint in hints.items() if typing.get_origin(hint) is Annotated)


def _decode_scalar(kind: Any, value: Any, where: str) -> Any:
    if kind is float:
        if value is None:
            return math.nan
        if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) >= 2**63:
            _refuse("a number", value, where)
        return float(value)
    if kind is int:
        return (
            _refuse("a whole number", value, where)
            if isinstance(value, bool)
            else _checked(int, value, "a whole number", where)
        )
    return _checked(kind, value, "text" if kind is str else kind.__name__, where)


def _checked(kind: type, value: Any, wanted: str, where: str) -> Any:
    return value if isinstance(value, kind) else _refuse(wanted, value, where)


def _refuse(wanted: str, value: Any, where: str) -> Any:
    raise ValueError(f"{where or 'the file'}: expected {wanted}, got {type(value).__name__}")


def _join(where: str, key: object) -> str:
    return f"{where}.{key}" if where else str(key)
