"""Time and memory of scoring units against phones: `python recipes/benchmark/scoring.py`.

Utterances of 500 frames (10 s at 50 Hz), phones of 100 ms, K = 512 codes that follow the phone half of the
time. The same 200 utterances are repeated, so memory that grows with the frames belongs to the scorer. Each
size runs in its own process; times are processor seconds, the peak is resident memory.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from speechvq.alignment.intervals import Interval
from speechvq.io.atomic import write_json
from speechvq.metrics.units.purity import LabeledCodes, score_purity

FRAME_RATE, NUM_CODES, FRAMES, PHONES = 50.0, 512, 500, 100
SPEAKERS = 100
SIZES = (1_000_000, 100_000_000)
DIFFERENT = 200  # utterances


def build_parser() -> argparse.ArgumentParser:
    """The script's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, nargs="+", default=SIZES, help="numbers of frames to score")
    parser.add_argument("--resamplings", type=int, help="of the bootstrap; default as in `evaluate purity`")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)  # a size, in this process
    return parser


def main() -> None:
    """Score every size and print a row each."""
    arguments = build_parser().parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.frames[0], arguments.resamplings)))
        return
    print(f"{'frames':>13}{'scoring':>10}{'Mframes/s':>11}{'peak MiB':>10}{'at start':>10}")
    rows = []
    for frames in arguments.frames:
        row = in_a_process(frames, arguments.resamplings)
        rows.append(row)
        print(
            f"{row['frames']:>13,}{row['scoring_s']:>9.1f}s"
            f"{row['frames'] / row['scoring_s'] / 1e6:>11.2f}"
            f"{row['peak_mib']:>10.0f}{row['start_mib']:>10.0f}",
            flush=True,
        )
    if arguments.json:
        write_json(arguments.json, rows)


def in_a_process(frames: int, resamplings: int | None) -> dict[str, float]:
    """Measure one size in a fresh process."""
    command = [sys.executable, __file__, "--one", "--frames", str(frames)]
    command += ["--resamplings", str(resamplings)] if resamplings is not None else []
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(frames: int, resamplings: int | None) -> dict[str, float]:
    """Processor seconds and peak memory of scoring, without reading files."""
    stock = make_utterances()
    options = {} if resamplings is None else {"num_resamples": resamplings}
    score_purity(repeat(stock, 10 * FRAMES), NUM_CODES, FRAME_RATE, **options)  # imports and caches
    start = peak_mib()
    began = time.process_time()
    score = score_purity(repeat(stock, frames), NUM_CODES, FRAME_RATE, **options)["all"].metrics
    scoring = time.process_time() - began
    assert score["frames"] + score["dropped_frames"] == frames
    return {
        "frames": frames,
        "scoring_s": scoring,
        "peak_mib": peak_mib(),
        "start_mib": start,
        "phone_purity": score["phone_purity"],
    }


def make_utterances() -> list[LabeledCodes]:
    """Utterances from a fixed seed; each of the 40 phones has its own range of codes."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(DIFFERENT):
        ends = np.sort(rng.uniform(0, FRAMES / FRAME_RATE, PHONES - 1))
        phones = rng.integers(40, size=PHONES)
        edges = [0.0, *ends.tolist(), FRAMES / FRAME_RATE]
        intervals = [Interval(a, b, f"P{p:02d}") for a, b, p in zip(edges, edges[1:], phones)]
        phone = phones[np.searchsorted(ends, (np.arange(FRAMES) + 0.5) / FRAME_RATE, side="right")]
        code = phone * (NUM_CODES // 40) + rng.integers(NUM_CODES // 40, size=FRAMES)
        codes = np.where(rng.random(FRAMES) < 0.5, code, rng.integers(NUM_CODES, size=FRAMES))
        made.append(LabeledCodes(codes, intervals, f"S{number % SPEAKERS:03d}"))
    return made


def repeat(stock: list[LabeledCodes], frames: int) -> Iterator[LabeledCodes]:
    """Utterances with `frames` frames in total."""
    for number in range(frames // FRAMES):
        yield stock[number % len(stock)]


def peak_mib() -> float:
    """Peak resident memory of this process, MiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


if __name__ == "__main__":
    main()
