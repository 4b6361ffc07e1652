"""Tensors in safetensors files, written atomically and checked when read."""

import json
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from speechvq.errors import UserError
from speechvq.io.atomic import atomic_file
from speechvq.io.reading import PERMISSION_REMEDY, open_regular

MAX_HEADER_BYTES = 16 << 20  # bytes; ours are a few kilobytes
CHECKSUM = "crc32"  # key in the file's metadata; optional, for files from other programs
MAX_MAGNITUDE = 1e15  # of a weight or buffer; a larger number means damage, and overflows in float32
REMEDY = "take an undamaged copy, or train again"


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors with a checksum, atomically and flushed to the disk; parent folders are created.

    Raises:
        UserError: the disk is full or not writable.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_file(path, sync=True) as temporary:
        try:
            save_file(plain, temporary, metadata={CHECKSUM: _checksum(plain)})
        except SafetensorError as error:
            raise OSError(_reason(error)) from None


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file. The file cannot run code, and memory is bounded by its size.

    Raises:
        UserError: the file is missing, truncated, damaged, or in another format.
    """
    try:
        header = _read_header(path)
        # The library maps the file into memory. A copy stays as it is when the file is replaced or cut; the
        # system kills a process that reads a mapping beyond the file's new end.
        tensors = {name: _copy(tensor) for name, tensor in load_file(path).items()}
    except PermissionError:
        raise UserError(f"{path}: {PERMISSION_REMEDY}") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}; {REMEDY}") from None
    except UserError:
        raise
    except (SafetensorError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: damaged or no safetensors file ({_reason(error)}); {REMEDY}") from None
    metadata = header.get("__metadata__")
    expected = metadata.get(CHECKSUM) if isinstance(metadata, dict) else None
    if expected is not None and expected != _checksum(tensors):
        raise UserError(f"{path}: damaged, its bytes do not match its checksum; {REMEDY}")
    return tensors


def _read_header(path: Path) -> dict[str, Any]:
    """The header. Refuses other formats, such as a pickle, before a library reads them."""
    with open_regular(path) as file:
        start = file.read(8)
        size = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= size <= min(MAX_HEADER_BYTES, path.stat().st_size - 8):
            raise UserError(f"{path}: not a safetensors file, or truncated; {REMEDY}")
        header = json.loads(file.read(size))
    if not isinstance(header, dict):
        raise UserError(f"{path}: not a safetensors file; {REMEDY}")
    return header


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    """CRC-32 over names, types, shapes and bytes. It detects a flipped bit and the zeros of a power cut."""
    sum_so_far = 0
    for name, tensor in sorted(tensors.items()):
        sum_so_far = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), sum_so_far)
        if tensor.numel():
            sum_so_far = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, sum_so_far)
    return f"{sum_so_far:08x}"


def _reason(error: Exception) -> str:
    """A library's message, shortened to one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _copy(tensor: Tensor) -> Tensor:
    """A copy of the bytes; `clone` would turn a damaged boolean into a valid one before the checksum."""
    return tensor.view(torch.uint8).clone().view(torch.bool) if tensor.dtype == torch.bool else tensor.clone()


def check_tensors(path: Path, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Compare names, shapes and types of a file's tensors with those that the configuration requires.

    Raises:
        UserError: they differ, or a value is not finite or huge; the message names the first tensor.
    """
    check_shapes(path, found, {name: tuple(tensor.shape) for name, tensor in expected.items()})
    for name, tensor in found.items():
        if name not in expected:
            raise UserError(
                f"{path}: tensor {name[:200]!r} is not of this model; configuration and weights differ"
            )
        if tensor.dtype != expected[name].dtype:
            raise UserError(
                f"{path}: tensor '{name}' is {tensor.dtype}, the configuration asks for "
                f"{expected[name].dtype}"
            )
    check_finite(path, found, "take an undamaged copy")


def check_finite(path: Path, tensors: Mapping[str, Tensor], remedy: str) -> None:
    """Refuse NaN, Inf and huge numbers.

    Raises:
        UserError: names the file, the first tensor with such a number, and the remedy.
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not (tensor.abs() <= MAX_MAGNITUDE).all():  # false for NaN
            what = "a huge number" if tensor.isfinite().all() else "NaN or Inf"
            raise UserError(f"{path}: tensor '{name}' holds {what}; {remedy}")


def check_shapes(path: Path, found: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]]) -> None:
    """Compare shapes of a file's tensors with those that the configuration requires.

    Raises:
        UserError: a tensor is missing or has another shape; the message names the first one.
    """
    for name, shape in expected.items():
        actual = tuple(found[name].shape) if name in found else "missing"
        if actual != shape:
            raise UserError(
                f"{path}: tensor '{name}' is {actual}, the configuration asks for {shape}; configuration and "
                "weights differ"
            )
