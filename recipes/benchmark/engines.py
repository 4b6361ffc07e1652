"""Engines by the clock: time to the first result, cost per utterance, encoding by one and more workers."""

import argparse
import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import speechvq
from speechvq.audio.waveform import SAMPLE_RATE, write_waveform
from speechvq.cli.encoding import EncodeWork, RecordingListing
from speechvq.cli.sources import SourceListing
from speechvq.data.unit_formats.npy import NpyWriter
from speechvq.data.unit_formats.shards import ShardWriter
from speechvq.io.journal import Journal, read_state
from speechvq.runtime.engine import Work
from speechvq.runtime.engine_choice import LOCAL, RAY, open_engine
from speechvq.runtime.worker_pool import available_cores
from timing import one_thread, write_part

SECONDS = 8.0  # of each recording
RECORDINGS, ITEMS = 512, 50_000
WAIT, WAITS = 0.25, 64  # seconds, and their number per worker
WAITING_WORKERS = (1, 2, 4)


def build_parser() -> argparse.ArgumentParser:
    """The script's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=speechvq.DEFAULT_MODEL, help="model that encodes")
    parser.add_argument("--json", type=Path, required=True, help="write the numbers to this file")
    parser.add_argument("--brief", action="store_true", help="a few recordings, to try the script")
    return parser


def main() -> None:
    """Measure the local engine, and that of Ray if it is installed."""
    arguments = build_parser().parse_args()
    one_thread()
    names = [LOCAL, RAY] if importlib.util.find_spec("ray") else [LOCAL]
    if RAY not in names:
        print("engines: only the local one is measured; for Ray, pip install 'speechvq[ray]'")
    model = speechvq.load(arguments.model, "cpu")
    sizes: dict[str, Any] = (
        {"recordings": 72, "items": 1_000, "waiting": (1, 2), "waits": 16} if arguments.brief else {}
    )
    part = measure(model, names, worker_counts(), **sizes) | {"writing": measure_writing()}
    write_part(arguments.json, {"engines": part})


def worker_counts() -> list[int]:
    """1, 2, 4 and so on, up to the number of cores."""
    return [1 << power for power in range(available_cores().bit_length())]


class Nothing(Work[int, int]):
    """The number itself, so that only the engine takes time."""

    batch_size = EncodeWork.batch_size

    def start(self) -> Callable[[int], int]:
        """The identity."""
        return int

    def lost(self, item: int, reason: str) -> int:
        """It has no reason to end a process."""
        raise RuntimeError(reason)


class Waiting(Work[int, int]):
    """Waits, so that workers do not compete for cores and only the engine limits how many are of use."""

    batch_size = 4

    def start(self) -> Callable[[int], int]:
        """Wait WAIT seconds, and return the number."""
        return self._wait

    def lost(self, item: int, reason: str) -> int:
        """It has no reason to end a process."""
        raise RuntimeError(reason)

    def _wait(self, number: int) -> int:
        time.sleep(WAIT)
        return number


def measure(
    model: speechvq.SpeechVQ,
    engines: Iterable[str],
    workers: Iterable[int],
    *,
    recordings: int = RECORDINGS,
    items: int = ITEMS,
    waiting: Sequence[int] = WAITING_WORKERS,
    waits: int = WAITS,
) -> dict[str, Any]:
    """Figures of each engine and number of workers.

    Args:
        model: encodes noise of SECONDS each.
        engines: their names.
        workers: numbers of workers that encode.
        recordings: number of them.
        items: number of utterances without work, for the cost of each, by the largest number of `waiting`.
        waiting: numbers of workers that only wait.
        waits: how often each of them does.

    Returns:
        By engine and number of workers, for example "ray 2": `first_result_s`, seconds from the start of the
        engine to its first codes; `x_real_time`, seconds of audio that are encoded per second afterwards; by
        engine `microseconds_an_utterance`, and `efficiency_of_waiting_workers` by their number: 1 if they
        always work.
    """
    numbers = list(workers)
    found: dict[str, Any] = {}
    with recordings_of_noise(recordings) as folder:
        journal = Journal(folder / "out", {})
        listing = RecordingListing(SourceListing(folder / "in"), 0, 1, journal, 0, ".npy")
        for name in engines:
            for jobs in numbers:
                work = EncodeWork(model, journal, "cpu", features=False)
                first, rate = _timed(name, jobs, work, listing, recordings)
                found[f"{name} {jobs}"] = {"first_result_s": first, "x_real_time": SECONDS * rate}
            rate = _timed(name, max(waiting), Nothing(), range(items), items)[1]
            efficiency = {str(jobs): _efficiency(name, jobs, waits) for jobs in waiting}
            found[name] = {
                "microseconds_an_utterance": 1e6 / rate,
                "efficiency_of_waiting_workers": efficiency,
            }
    return found


def measure_writing(count: int = 4_000, frames: int = 1_200) -> dict[str, float]:
    """Processor microseconds per utterance that the calling process needs to write codes, by format.

    Args:
        count: of utterances.
        frames: of each, 12 s at 100 per second.
    """
    meta = {"format": "parquet", "frame_rate_hz": 100.0, "codebook": ""}
    writers: dict[str, Callable[[Path, Journal], NpyWriter | ShardWriter]] = {"npy": NpyWriter}
    if importlib.util.find_spec("pyarrow"):
        writers["parquet"] = lambda out, journal: ShardWriter(out, journal, meta)
    codes, state = np.random.default_rng(0).integers(512, size=frames), read_state([Path(__file__)])
    found = {}
    for form, make in writers.items():
        with tempfile.TemporaryDirectory() as folder:
            begun = time.process_time()
            with make(Path(folder), Journal(Path(folder), {})) as writer:
                for number in range(count):
                    writer.add(str(number), "", codes, state)
            found[form] = 1e6 * (time.process_time() - begun) / count
    return found


def _efficiency(name: str, jobs: int, waits: int) -> float:
    """The share of the time in which waiting workers wait."""
    count = waits * jobs
    return _timed(name, jobs, Waiting(), range(count), count)[1] * WAIT / jobs


def _timed(
    name: str, jobs: int, work: Work[Any, Any], items: Iterable[Any], count: int
) -> tuple[float, float]:
    """Seconds until the first result, and results per second in the last three quarters of the work."""
    begun, ends = time.perf_counter(), []
    with open_engine(name, None, jobs) as engine:
        for _ in engine.map(work, items):
            ends.append(time.perf_counter())
    assert len(ends) == count
    quarter = count // 4  # what waits between two processes is a small part of the rest
    return ends[0] - begun, (count - quarter) / (ends[-1] - ends[quarter - 1])


@contextmanager
def recordings_of_noise(count: int) -> Iterator[Path]:
    """A folder with `in/NUMBER.flac`, noise of SECONDS each."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        for number in range(count):
            noise = 0.1 * rng.standard_normal(round(SECONDS * SAMPLE_RATE)).astype(np.float32)
            write_waveform(Path(name) / f"in/{number}.flac", noise)
        yield Path(name)


if __name__ == "__main__":
    main()
