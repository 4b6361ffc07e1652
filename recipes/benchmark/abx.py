"""ABX error by our scorer and by fastabx: the same items without subsampling, so that the errors are equal.

fastabx needs Python 3.12; where it is not installed, it is left out. This script needs no other peer, so it
can run in an environment of its own.
"""

import argparse
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from speechvq.metrics.units.abx import AbxOptions, abx_error
from speechvq.metrics.units.abx_items import Item
from speechvq.metrics.units.frame_distance import angular
from timing import REPEATS, alternate, one_core, rounds, write_part

PHONES, SPEAKERS, DIM = "ABCDEFGH", 10, 64
OPTIONS = AbxOptions("within", max_group=None, max_across=None)


def build_parser() -> argparse.ArgumentParser:
    """The script's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="write the numbers to this file")
    parser.add_argument("--brief", action="store_true", help="few items, to try the script")
    return parser


def main() -> None:
    """Measure in this process."""
    arguments = build_parser().parse_args()
    one_core()
    write_part(arguments.json, measure(200 if arguments.brief else 2_000, rounds(arguments.brief)))


def measure(count: int, repeats: int = REPEATS) -> dict[str, Any]:
    """Within-speaker ABX of `count` items, angular distance, and the same by fastabx if it is installed."""
    items, frames = random_items(count)
    try:
        theirs = fastabx_scorer(items, frames)
    except ImportError as error:
        return {"peers": {"fastabx": f"left out ({error}; it needs Python 3.12)"}}
    errors: dict[str, float] = {}

    def ours() -> None:
        errors["ours"] = abx_error(items, angular(frames), OPTIONS).error

    def peer() -> None:
        errors["fastabx"] = theirs()

    seconds = alternate({"ours": ours, "fastabx": peer}, repeats)
    if abs(errors["ours"] - errors["fastabx"]) > 1e-4:
        raise RuntimeError(f"the errors differ: {errors}")
    return {
        "ratios": {"abx_vs_fastabx": seconds["fastabx"] / seconds["ours"]},
        "abx_seconds": {"items": float(count), **seconds},
        "peers": {"fastabx": version("fastabx")},
    }


def random_items(count: int) -> tuple[list[Item], np.ndarray]:
    """Items of 2 to 6 frames in one context, and frames (M, DIM): a direction for each phone, and noise."""
    rng, items, first = np.random.default_rng(0), list[Item](), 0
    directions, frames = rng.standard_normal((len(PHONES), DIM)), []
    for i in range(count):
        length, phone = int(rng.integers(2, 7)), int(rng.integers(len(PHONES)))
        items.append(Item(PHONES[phone], ("p", "q"), f"s{i % SPEAKERS}", first, first + length))
        frames.append(0.3 * directions[phone] + rng.standard_normal((length, DIM)))
        first += length
    return items, np.concatenate(frames).astype(np.float32)


def fastabx_scorer(items: list[Item], frames: np.ndarray) -> Callable[[], float]:
    """The same error by fastabx, from a dataset in memory to the number."""
    import polars
    from fastabx import Dataset, InMemoryAccessor, Score, Task

    labels = polars.DataFrame(
        {
            "phone": [item.phone for item in items],
            "context": ["-".join(item.context) for item in items],
            "speaker": [item.speaker for item in items],
        }
    )
    indices = {i: (item.first, item.end) for i, item in enumerate(items)}

    def score() -> float:
        accessor = InMemoryAccessor(indices, torch.from_numpy(frames), torch.device("cpu"))
        task = Task(Dataset(labels=labels, accessor=accessor), on="phone", by=["context", "speaker"])
        return Score(task, "angular", progress=False).collapse(levels=["context", "speaker"])

    return score


if __name__ == "__main__":
    main()
