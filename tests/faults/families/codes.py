"""Code directories with every kind of mistake, read by `evaluate purity` and `evaluate codebook`."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from faults.bench import Bench
from faults.case import Case, Setting
from faults.units import check_codebook, check_purity, make_codes, make_labels, warm_up

TRIED = (
    "Directories whose meta.json is missing, damaged, a pipe, a device, nested, with rates and numbers "
    "of codes of every kind and size; arrays of other types, shapes and orders, out of range, empty, "
    "cut, with a false header or a pickle; names; random bytes. Each gives finite numbers or one line, "
    "within 15 s and 512 MB, and no code of a file is run."
)
RANDOM_CASES = 600
NAMES = ("a", "b", "c")
Change = Callable[[Path], object]  # of a good codes directory


def cases(setting: Setting) -> Iterator[Case]:
    """Named mistakes by both subjects; then random damage."""
    bench = Bench(setting.folder / "bench")
    warm_up(bench)
    labels = make_labels(setting.folder / "labels", NAMES, setting.rng())
    mistakes = {**meta_mistakes(), **ARRAY_MISTAKES, **FOLDER_MISTAKES}
    for number, name in enumerate(setting.some(list(mistakes), 8)):
        for subject in ("purity", "codebook"):
            place = setting.folder / f"{subject} {number}"
            yield case(f"{subject}, {name}", mistakes[name], subject, labels, place)
    for number in range(4 if setting.short else RANDOM_CASES):
        rng = setting.rng(2, number)
        subject = ("purity", "codebook")[number % 2]
        place = setting.folder / f"random {number}"
        yield case(
            f"{subject}, random {number}", lambda folder, rng=rng: damage(folder, rng), subject, labels, place
        )  # type: ignore


def case(name: str, change: Change, subject: str, labels: Path, place: Path) -> Case:
    """A directory after a change."""

    def check() -> None:
        codes = make_codes(place / "codes", NAMES, np.random.default_rng(0))
        change(codes)
        if subject == "purity":
            check_purity(codes, labels, place)
        else:
            check_codebook(codes, place)
        assert not Path("/tmp/speechvq-fault-canary").exists(), "code of a file was run"
        shutil.rmtree(place, ignore_errors=True)

    return Case(name, check)


def meta(**values: Any) -> Change:
    """Writes meta.json with other values."""
    content = {"frame_rate_hz": 50, "num_codes": 6} | values
    return lambda folder: (folder / "meta.json").write_text(json.dumps(content))


def meta_text(text: str | bytes) -> Change:
    """Writes other text as meta.json."""
    content = text if isinstance(text, bytes) else text.encode()
    return lambda folder: (folder / "meta.json").write_bytes(content)


def instead(make: Callable[[Path], object], name: str = "meta.json") -> Change:
    """Replaces a file."""

    def change(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return change


def meta_mistakes() -> dict[str, Change]:
    """Values of every kind for both keys, and text that is no JSON object."""
    values: list[Any] = [
        None, True, False, "50", [], {}, [50], -1, 0, 0.0, -0.0, 0.5, 1e-320, 1e-12, 1e5, 1e6, 1e300, 1e400,
        float("nan"), 10**30, 2**31, 2**63, 100_000_000, 65_536, 3,
    ]  # fmt: skip
    made: dict[str, Change] = {}
    for key in ("frame_rate_hz", "num_codes"):
        made |= {f"{key} is {value!r}": meta(**{key: value}) for value in values}
    texts: dict[str, str | bytes] = {
        "empty": "",
        "not JSON": "frame_rate_hz: 50",
        "a list": "[50, 6]",
        "a number": "7",
        "cut": '{"frame_rate_hz": 50, "num_co',
        "nested": "[" * 100_000,
        "nested objects": '{"a":' * 50_000,
        "digits": '{"frame_rate_hz": 50, "num_codes": ' + "9" * 10_000 + "}",
        "UTF-16": '{"frame_rate_hz": 50, "num_codes": 6}'.encode("utf-16"),
        "binary": bytes(range(256)),
        "both keys twice": '{"frame_rate_hz": 50, "num_codes": 6, "num_codes": 3, "frame_rate_hz": 1e-9}',
        "more keys": '{"frame_rate_hz": 50, "num_codes": 6, "codebook": {"a": [1]}, "x": null}',
        "ten megabytes": '{"frame_rate_hz": 50, "num_codes": 6, "x": "' + "a" * 10_000_000 + '"}',
        "surrogates": '{"frame_rate_hz": 50, "num_codes": 6, "codebook": "\\ud800"}',
    }
    made |= {f"meta.json: {name}": meta_text(text) for name, text in texts.items()}
    made |= {
        "meta.json missing": lambda folder: (folder / "meta.json").unlink(),
        "meta.json is a folder": instead(Path.mkdir),
        "meta.json is a pipe": instead(os.mkfifo),
        "meta.json is a device": instead(lambda path: path.symlink_to("/dev/zero")),
        "meta.json links to itself": instead(lambda path: path.symlink_to("meta.json")),
    }
    return made


def array(values: Any, name: str = "a") -> Change:
    """Replaces the codes of an utterance."""
    return lambda folder: np.save(folder / f"{name}.npy", values, allow_pickle=True)


def array_bytes(change: Callable[[bytes], bytes]) -> Change:
    """Changes the bytes of an utterance's file."""

    def write(folder: Path) -> None:
        path = folder / "a.npy"
        path.write_bytes(change(path.read_bytes()))

    return write


def header(text: str) -> Change:
    """Replaces the header of an array by other Python text."""
    padded = text.encode() + b"\n"
    start = b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little")
    return array_bytes(lambda content: start + padded + content[128:])


class Bomb:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch /tmp/speechvq-fault-canary",))


ARRAY_MISTAKES: dict[str, Change] = {
    "floats": array(np.zeros(100)),
    "complex": array(np.zeros(100, complex)),
    "text": array(np.array(["a"] * 100)),
    "booleans": array(np.zeros(100, bool)),
    "dates": array(np.zeros(100, "datetime64[s]")),
    "records": array(np.zeros(100, [("a", "i4"), ("b", "i4")])),
    "objects": array(np.array([1, None], object)),
    "a pickle that runs code": array(np.array([Bomb()], object)),
    "big-endian": array(np.arange(6).astype(">i8").repeat(16)),
    "unsigned bytes": array(np.zeros(100, np.uint8)),
    "unsigned, too large for int64": array(np.full(100, 2**63, np.uint64)),
    "negative": array(np.full(100, -1)),
    "out of range": array(np.full(100, 6)),
    "far out of range": array(np.full(100, 2**62)),
    "two axes": array(np.zeros((10, 10), int)),
    "no axis": array(np.int64(3)),
    "one column": array(np.zeros((100, 1), int)),
    "empty": array(np.zeros(0, int)),
    "one code": array(np.zeros(1, int)),
    "a million codes": array(np.zeros(1_000_000, np.uint8)),
    "Fortran order": array(np.asfortranarray(np.zeros((10, 10), int))),
    "empty file": array_bytes(lambda content: b""),
    "cut in the header": array_bytes(lambda content: content[:40]),
    "cut in the codes": array_bytes(lambda content: content[:-100]),
    "one byte too few": array_bytes(lambda content: content[:-1]),
    "one byte too many": array_bytes(lambda content: content + b"x"),
    "version 9": array_bytes(lambda content: content[:6] + b"\x09\x00" + content[8:]),
    "a header of a gigabyte": array_bytes(
        lambda c: b"\x93NUMPY\x02\x00" + (1 << 30).to_bytes(4, "little") + c[10:]
    ),
    "a shape of 2^60": header("{'descr': '<i8', 'fortran_order': False, 'shape': (1152921504606846976,), }"),
    "a negative shape": header("{'descr': '<i8', 'fortran_order': False, 'shape': (-1,), }"),
    "a shape of floats": header("{'descr': '<i8', 'fortran_order': False, 'shape': (1.5,), }"),
    "no shape": header("{'descr': '<i8', 'fortran_order': False, }"),
    "a call in the header": header("__import__('os').system('touch /tmp/speechvq-fault-canary')"),
    "brackets in the header": header("(" * 9_000),
    "a type of a gigabyte": header("{'descr': '|V1073741824', 'fortran_order': False, 'shape': (1,), }"),
    "a zip archive": lambda folder: np.savez(open(folder / "a.npy", "wb"), np.zeros(9)),
    "text as .npy": lambda folder: (folder / "a.npy").write_text("1 2 3\n"),
}
FOLDER_MISTAKES: dict[str, Change] = {
    "nothing wrong": lambda folder: None,
    "no codes": lambda folder: [path.unlink() for path in folder.glob("*.npy")],
    "no folder": lambda folder: shutil.rmtree(folder),
    "a file instead of the folder": lambda folder: (shutil.rmtree(folder), folder.write_text("x")),
    "one utterance twice": lambda folder: shutil.copytree(folder, folder / "more"),
    "other names": lambda folder: [
        path.rename(path.with_stem(f"x{path.stem}")) for path in folder.glob("*.npy")
    ],
    "a pipe": instead(os.mkfifo, "a.npy"),
    "a device": instead(lambda path: path.symlink_to("/dev/zero"), "a.npy"),
    "a broken link": instead(lambda path: path.symlink_to("nowhere"), "a.npy"),
    "a folder named .npy": instead(Path.mkdir, "a.npy"),
    "a link to its parent": lambda folder: (folder / "loop").symlink_to(".."),
    "a name with line breaks": lambda folder: (folder / "a.npy").rename(folder / "a\nb.npy"),
    "a name that is no UTF-8": lambda folder: os.rename(
        bytes(folder / "a.npy"), bytes(folder) + b"/\xff.npy"
    ),
    "65,536 codes and 1,200 utterances' worth of frames": lambda folder: (
        meta(num_codes=65_536)(folder),
        array(np.arange(60_000) % 65_536)(folder),
    ),
}


def damage(folder: Path, rng: np.random.Generator) -> None:
    """One to three random changes of the bytes of one file."""
    path = folder / ("meta.json", "a.npy")[rng.integers(2)]
    content = bytearray(path.read_bytes())
    for _ in range(rng.integers(1, 4)):
        place, size = int(rng.integers(min(len(content), 200) + 1)), int(rng.integers(1, 9))
        match rng.integers(4):
            case 0:
                del content[place:]
            case 1:
                content[place : place + size] = rng.bytes(size)
            case 2:
                content[place:place] = rng.bytes(size)
            case _:
                del content[place : place + size]
    path.write_bytes(content)
