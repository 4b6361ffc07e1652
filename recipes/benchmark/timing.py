"""Measurement of processor time: one thread, alternating works, medians."""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from speechvq.io.atomic import write_text
from speechvq.runtime.memory import keep_freed_memory

REPEATS = 5

Work = Callable[[], object]


def measurement_parser(description: str | None) -> argparse.ArgumentParser:
    """The flags of every measurement: `--json` and `--brief`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, required=True, help="write the numbers to this file")
    parser.add_argument(
        "--brief", action="store_true", help="one round of each measurement, to try the script"
    )
    return parser


def rounds(brief: bool) -> int:
    """Rounds of each measurement: 5, or 1 to try the scripts."""
    return 1 if brief else REPEATS


def one_thread(keep_memory: bool = True) -> None:
    """Use one thread in this process, and keep freed memory for the next step, as training does."""
    torch.set_num_threads(1)
    threadpool_limits(1)
    if keep_memory:
        keep_freed_memory()
    torch.manual_seed(0)


def one_core() -> None:
    """Also use one core: the kernels start a worker for each core of the process."""
    one_thread()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def alternate(works: Mapping[str, Work], repeats: int = REPEATS) -> dict[str, float]:
    """Median processor seconds of each work.

    The works alternate (A B C, A B C), so that other load on the machine affects all alike. The first round
    is not
    counted: it compiles and allocates.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(repeats + 1):
        for name, work in works.items():
            begun = time.process_time()
            work()
            if number:
                seconds[name].append(time.process_time() - begun)
    return {name: statistics.median(each) for name, each in seconds.items()}


def write_part(path: Path, part: dict[str, Any]) -> None:
    """Write a part of the benchmark's numbers; `table.py` merges the parts."""
    write_text(path, json.dumps(part, indent=2) + "\n")
