"""Tensors in safetensors files: written whole or not at all, read with suspicion."""

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from speechvq.errors import UserError

HEADER_LIMIT = 16 << 20  # bytes; ours are a few kilobytes


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors to `path` through a temporary beside it.

    Raises:
        UserError: the disk is full or not writable; nothing is left behind.
    """
    temporary = path.with_name(path.name + ".part")
    try:
        save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, temporary)
        os.replace(temporary, path)
    except (OSError, SafetensorError) as error:
        temporary.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written ({error}); free some space or choose another folder") from None


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file; no code in it can run, and memory is bounded by the file's size.

    Raises:
        UserError: missing, truncated, damaged, or something else renamed.
    """
    remedy = "take an undamaged copy, or train again"
    try:
        _check_header(path, remedy)
        return load_file(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}; {remedy}") from None
    except (SafetensorError, ValueError, KeyError) as error:
        raise UserError(f"{path}: damaged or no safetensors file ({error}); {remedy}") from None


def _check_header(path: Path, remedy: str) -> None:
    """Refuse what cannot be safetensors before a library sees it: a pickle or a header larger than the file."""
    with open(path, "rb") as file:
        start = file.read(8)
        size = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= size <= min(HEADER_LIMIT, path.stat().st_size - 8):
            raise UserError(f"{path}: not a safetensors file, or truncated; {remedy}")
        json.loads(file.read(size))


def check_tensors(path: Path, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Compare names, shapes and types of a file's tensors with what the configuration asks for.

    Raises:
        UserError: names the first difference.
    """
    for name in sorted(set(found) ^ set(expected)):
        raise UserError(f"{path}: tensor '{name}' is {'missing' if name in expected else 'not of this model'}; config and weights differ")
    for name, wanted in expected.items():
        got = found[name]
        if got.shape != wanted.shape or got.dtype != wanted.dtype:
            raise UserError(
                f"{path}: tensor '{name}' is {tuple(got.shape)} {got.dtype}, the configuration asks for "
                f"{tuple(wanted.shape)} {wanted.dtype}"
            )
        if got.is_floating_point() and not torch.isfinite(got).all():
            raise UserError(f"{path}: tensor '{name}' holds NaN or Inf; take an undamaged copy")
