"""Damage to the files of a model, voice, prior or checkpoint, drawn at random from a seed.

A harm changes a valid file in place. The same generator state gives the same change.
"""

import json
import os
import random
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import yaml

from speechvq.io.tensors import read_tensors, write_tensors

Harm = Callable[[Path, random.Random], None]  # changes the file

DTYPES = (
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
    torch.complex64,
    torch.int64,
    torch.int32,
    torch.int8,
    torch.uint8,
    torch.bool,
)
NUMBERS = (float("nan"), float("inf"), -float("inf"), 3e38, -3e38, 1e20, 1e-45, -1.0, -5.0, 1e9)
VALUES: tuple[Any, ...] = (  # of a key in YAML or JSON
    None, True, False, -1, 0, 1, 2, 3, 63, 65_536, 2**31, 2**63, -(2**63), 10**30, 10**400, 0.5, -0.0, 1e-320,
    1e308, float("nan"), float("inf"), "", "x", "1e400", "1:30:00", "²", "../../etc", "\0", "\ud7ff" * 9, [],
    [[]], {}, [1], [0], [-1], [2.5], [None], ["a"], [1] * 99, [2] * 40, [10**9], {"x": 1}, {1: 2},
    {None: None},
)  # fmt: skip
TEXTS = (  # instead of the whole file
    b"", b"\0", b"\n", b"[1]", b"null", b"7", b"{", b"\xff\xfe\x00", b"\xef\xbb\xbf", b"a: [", b"a: &a [*a]",
    b"!!python/object/apply:os.system [touch hostile]", b"!!python/name:os.system", b"!!timestamp 2001-99-99",
    b"!!binary x", b"? [a, b]\n: 1", b"<<: 1", b"<<: *a", b"--- {}\n--- {}", b"%YAML 9.9\n---\n{}",
    b"\tkind: speech", b"kind: speech\nkind: sequence", b"a: " + b"[" * 5000, b'{"a": ' * 5000,
    b"a: " + b"9" * 200_000, b"a: 1" + b":59" * 50_000, b"x: [" + b"1," * 400_000 + b"]", b"<html>404</html>",
    b"PK\x03\x04" + bytes(99),
    b"version https://git-lfs.github.com/spec/v1\n", b"\x80\x04\x95" + bytes(99),
    b"l0: &l0 [x, x]\n" + b"\n".join(b"l%d: &l%d [*l%d, *l%d]" % (i, i, i - 1, i - 1) for i in range(1, 60)),
)  # fmt: skip
HEADERS: tuple[Any, ...] = (  # of a safetensors file
    [], 7, "x", {}, {"a": 1}, {"a": {}}, {"a": {"dtype": "F32", "shape": [1]}}, {"__metadata__": 7},
    {"__metadata__": {"crc32": 7}}, {"__metadata__": {"crc32": "\0"}},
    {"a": {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 0]}},
    {"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}},
    {"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}},
    {"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}},
    {"a": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}},
    {"a": {"dtype": "F32", "shape": [10**30], "data_offsets": [0, 4]}},
    {"a": {"dtype": "X9", "shape": [1], "data_offsets": [0, 4]}},
    {"a": {"dtype": "F32", "shape": [1.5], "data_offsets": [0, 6]}},
    {"a": {"dtype": "F4", "shape": [3], "data_offsets": [0, 2]}},
    {"a": {"dtype": "F32", "shape": [1] * 5000, "data_offsets": [0, 4]}},
    {"a" * 100_000: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}},
    {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
     "b": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}},
    {str(i): {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(20_000)},
)  # fmt: skip


# -- any file


def truncate(path: Path, rng: random.Random) -> None:
    """Cut the file at a random byte."""
    os.truncate(path, rng.randrange(path.stat().st_size))


def flip(path: Path, rng: random.Random) -> None:
    """Invert up to three random bits."""
    content = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 3)):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def overwrite(path: Path, rng: random.Random) -> None:
    """Replace a block by zeros, as a power cut does, or by random bytes."""
    content = bytearray(path.read_bytes())
    start, size = rng.randrange(len(content)), rng.randint(1, 600)
    content[start : start + size] = bytes(size) if rng.random() < 0.5 else rng.randbytes(size)
    path.write_bytes(content)


def append(path: Path, rng: random.Random) -> None:
    """Add bytes to the end."""
    with open(path, "ab") as file:
        file.write(rng.randbytes(rng.randint(1, 99)))


def replace_kind(path: Path, rng: random.Random) -> None:
    """Put a folder, pipe, device, broken link, link to itself or nothing in the file's place."""
    path.unlink()
    match rng.randrange(7):
        case 0:
            path.mkdir()
        case 1:
            os.mkfifo(path)
        case 2:
            path.symlink_to("/dev/zero")
        case 3:
            path.symlink_to("missing")
        case 4:
            path.symlink_to(path.name)
        case 5:
            path.symlink_to(path.parent)


def replace_text(path: Path, rng: random.Random) -> None:
    """Put another text in the file's place."""
    path.write_bytes(rng.choice(TEXTS))


# -- YAML and JSON


def _places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Keys that lead to every value of nested plain data."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*above, key)
        yield from _places(inner, (*above, key))


def _load(path: Path) -> Any:
    text = path.read_text()
    return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


def _dump(path: Path, content: Any) -> None:
    path.write_text(
        json.dumps(content) if path.suffix == ".json" else yaml.safe_dump(content, sort_keys=False)
    )


def change_value(path: Path, rng: random.Random) -> None:
    """Replace one value by a hostile one; JSON gets values that YAML alone has as text."""
    content = _load(path)
    *parents, key = rng.choice(list(_places(content)))
    value, owner = rng.choice(VALUES), content
    for parent in parents:
        owner = owner[parent]
    owner[key] = value
    try:
        _dump(path, content)
    except (TypeError, ValueError):  # JSON has no such keys; Python prints no integer of 400 digits
        owner[key] = str(type(value))
        _dump(path, content)


def change_key(path: Path, rng: random.Random) -> None:
    """Remove, rename or add a key."""
    content = _load(path)
    *parents, key = rng.choice(list(_places(content)))
    owner = content
    for parent in parents:
        owner = owner[parent]
    kept = owner.pop(key)
    if isinstance(owner, dict) and rng.random() < 0.6:
        names: list[Any] = [f"{key}x", str(key).upper(), "__class__", "", "\n", "x" * 5000]
        owner[rng.choice(names if path.suffix == ".json" else [*names, 1, None, 2.5, True])] = kept
    _dump(path, content)


# -- safetensors


def _change_tensor(path: Path, rng: random.Random, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Change one tensor, or all; the checksum fits."""
    tensors = {name: tensor.clone() for name, tensor in read_tensors(path).items()}
    chosen = list(tensors) if rng.random() < 0.2 else [rng.choice(list(tensors))]
    write_tensors(path, tensors | {name: change(tensors[name]) for name in chosen})


def change_dtype(path: Path, rng: random.Random) -> None:
    """Give a tensor another type."""
    dtype = rng.choice(DTYPES)
    _change_tensor(path, rng, lambda tensor: tensor.to(dtype))


def change_number(path: Path, rng: random.Random) -> None:
    """Set one number of a tensor, or all, to a hostile one."""
    number, whole = rng.choice(NUMBERS), rng.random() < 0.3

    def change(tensor: torch.Tensor) -> torch.Tensor:
        flat = tensor.reshape(-1)
        value = number if tensor.is_floating_point() else rng.choice((-1, 0, 1, 255, 2**31 - 1))
        if flat.numel():
            places = slice(None) if whole else rng.randrange(flat.numel())
            flat[places] = torch.tensor(float(value), dtype=torch.float64).to(tensor.dtype)
        return flat.reshape(tensor.shape)

    _change_tensor(path, rng, change)


def change_shape(path: Path, rng: random.Random) -> None:
    """Flatten, transpose, lengthen, empty or stretch a tensor."""
    changes: tuple[Callable[[torch.Tensor], torch.Tensor], ...] = (
        lambda tensor: tensor.reshape(-1),
        lambda tensor: tensor.reshape(*tensor.shape, 1),
        lambda tensor: tensor.movedim(0, -1).contiguous() if tensor.dim() else tensor[None],
        lambda tensor: tensor.reshape(-1)[:0],
        lambda tensor: tensor.reshape(-1)[:1].reshape(()) if tensor.numel() else tensor,
        lambda tensor: torch.cat([tensor.reshape(-1)] * 2),
        lambda tensor: tensor.reshape(-1)[:-1],
    )
    _change_tensor(path, rng, rng.choice(changes))


def change_name(path: Path, rng: random.Random) -> None:
    """Remove, rename, swap or add a tensor."""
    tensors = {name: tensor.clone() for name, tensor in read_tensors(path).items()}
    first, second = rng.choice(list(tensors)), rng.choice(list(tensors))
    match rng.randrange(4):
        case 0:
            del tensors[first]
        case 1:
            tensors[rng.choice(["", "/", first + "x", "\n\x1b[31m", "x" * 9999])] = tensors.pop(first)
        case 2:
            tensors[first], tensors[second] = tensors[second], tensors[first]
        case 3:
            tensors[rng.choice(["more", "/", f"{first}/more", "x/exp_avg"])] = torch.zeros(2, 3)
    write_tensors(path, tensors)


def change_header(path: Path, rng: random.Random) -> None:
    """Replace the header by another, or its length by a wrong one."""
    content = path.read_bytes()
    if rng.random() < 0.2:
        size = rng.choice(
            (0, 1, 2**31, 2**32 + 7, 2**63, 2**64 - 1, len(content), len(content) - 8, 101_000_000)
        )
        path.write_bytes(struct.pack("<Q", size) + content[8:])
        return
    header = json.dumps(rng.choice(HEADERS)).encode() if rng.random() < 0.8 else rng.choice(TEXTS)
    path.write_bytes(struct.pack("<Q", len(header)) + header + content[-64:])


def change_entry(path: Path, rng: random.Random) -> None:
    """Change one field of the header's JSON, or drop the checksum and flip a bit of the data."""
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header, data = json.loads(content[8 : 8 + size]), bytearray(content[8 + size :])
    if rng.random() < 0.5:
        header.pop("__metadata__", None)
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    else:
        *parents, key = rng.choice(list(_places(header)))
        owner = header
        for parent in parents:
            owner = owner[parent]
        value = rng.choice(VALUES)
        owner[key] = value if not isinstance(value, dict) and value != 10**400 else {"x": 1}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


ANY_FILE: tuple[Harm, ...] = (truncate, flip, overwrite, append, replace_kind, replace_text)
TENSORS: tuple[Harm, ...] = (
    *ANY_FILE,
    *(change_dtype, change_number, change_shape, change_name, change_header, change_entry) * 2,
)
SETTINGS: tuple[Harm, ...] = (*ANY_FILE, *(change_value,) * 14, *(change_key,) * 4)


def harm(path: Path, rng: random.Random) -> str:
    """Harm one file in a way that fits its ending; returns the name of the harm."""
    if not path.stat().st_size:
        harms: tuple[Harm, ...] = (append, replace_kind, replace_text)
    else:
        harms = {".safetensors": TENSORS, ".yaml": SETTINGS, ".json": SETTINGS}.get(path.suffix, ANY_FILE)
    chosen = rng.choice(harms)
    chosen(path, rng)
    return chosen.__name__


def remove(path: Path) -> None:
    """Delete a file or folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
