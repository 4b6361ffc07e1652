"""Tensors in safetensors files: written whole or not at all, read with suspicion."""

import json
import os
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

HEADER_LIMIT = 16 << 20  # bytes; ours are a few kilobytes
CHECKSUM = "crc32"  # key in the file's metadata; files from elsewhere need not have it
REMEDY = "take an undamaged copy, or train again"


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors to `path` through a temporary beside it, with a checksum, and on to the disk.

    Raises:
        UserError: the disk is full or not writable; nothing is left behind.
    """
    temporary = path.with_name(path.name + ".part")
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        save_file(plain, temporary, metadata={CHECKSUM: _checksum(plain)})
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except (OSError, SafetensorError) as error:
        temporary.unlink(missing_ok=True)
        raise UserError(
            f"{path}: cannot be written ({_reason(error)}); free some space or choose another folder"
        ) from None


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file; no code in it can run, and memory is bounded by the file's size.

    Raises:
        UserError: missing, truncated, damaged, or something else renamed.
    """
    try:
        header = _read_header(path)
        tensors = load_file(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}; {REMEDY}") from None
    except UserError:
        raise
    except (SafetensorError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: damaged or no safetensors file ({_reason(error)}); {REMEDY}") from None
    metadata = header.get("__metadata__")
    wanted = metadata.get(CHECKSUM) if isinstance(metadata, dict) else None
    if wanted is not None and wanted != _checksum(tensors):
        raise UserError(
            f"{path}: damaged, its bytes do not have the checksum they were written with; {REMEDY}"
        )
    return tensors


def _read_header(path: Path) -> dict[str, Any]:
    """Refuse what cannot be safetensors before a library sees it: a pickle, a header beyond the file."""
    with open(path, "rb") as file:
        start = file.read(8)
        size = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= size <= min(HEADER_LIMIT, path.stat().st_size - 8):
            raise UserError(f"{path}: not a safetensors file, or truncated; {REMEDY}")
        header = json.loads(file.read(size))
    if not isinstance(header, dict):
        raise UserError(f"{path}: not a safetensors file; {REMEDY}")
    return header


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    """CRC-32 over names, types, shapes and bytes: notices a flipped bit and the zeros of a power cut."""
    sum_so_far = 0
    for name, tensor in sorted(tensors.items()):
        sum_so_far = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), sum_so_far)
        if tensor.numel():
            sum_so_far = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy(), sum_so_far)
    return f"{sum_so_far:08x}"


def _reason(error: Exception) -> str:
    """What a library says, on one line of bearable length."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def check_tensors(path: Path, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Compare names, shapes and types of a file's tensors with what the configuration asks for.

    Raises:
        UserError: names the first difference.
    """
    for name in sorted(set(found) ^ set(expected)):
        state = "missing" if name in expected else "not of this model"
        raise UserError(f"{path}: tensor {name[:200]!r} is {state}; configuration and weights differ")
    for name, wanted in expected.items():
        got = found[name]
        if got.shape != wanted.shape or got.dtype != wanted.dtype:
            raise UserError(
                f"{path}: tensor '{name}' is {tuple(got.shape)} {got.dtype}, the configuration asks for "
                f"{tuple(wanted.shape)} {wanted.dtype}"
            )
        if got.is_floating_point() and not torch.isfinite(got).all():
            raise UserError(f"{path}: tensor '{name}' holds NaN or Inf; take an undamaged copy")
