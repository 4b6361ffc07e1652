"""Resident memory of a long stream: `python recipes/benchmark/live_memory.py` prints a line for each minute.

The stream gets the same speech again and again, in blocks of 20 ms, and another voice every minute.
"""

import argparse
import gc
import os
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

import speechvq
from live import BLOCK_MS
from speechvq.audio.waveform import SAMPLE_RATE, read_waveform
from timing import one_core

STATM = Path("/proc/self/statm")  # of Linux, in pages


class Minute(NamedTuple):
    """State of the process after a part of the stream."""

    resident_mib: float
    real_time_factor: float  # processor time


def build_parser() -> argparse.ArgumentParser:
    """The script's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=speechvq.DEFAULT_MODEL, help="a model that can convert a stream")
    parser.add_argument("--src", type=Path, default=Path("docs/source.flac"), help="the speech that is used")
    parser.add_argument("--minutes", type=int, default=60, help="minutes of speech (default 60)")
    return parser


def main() -> None:
    """Convert, and print."""
    arguments = build_parser().parse_args()
    one_core()
    model, wave = speechvq.load(arguments.model), read_waveform(arguments.src)
    gc.collect()
    gc.freeze()  # as the command does
    print("| minute | resident memory (MiB) | real-time factor |\n| --- | --- | --- |")
    for number, minute in enumerate(minutes(model, np.resize(wave, 60 * SAMPLE_RATE), arguments.minutes), 1):
        print(f"| {number} | {minute.resident_mib:.1f} | {minute.real_time_factor:.2f} |", flush=True)


def minutes(model: speechvq.SpeechVQ, wave: np.ndarray, count: int) -> Iterator[Minute]:
    """Convert a waveform (T,), 16 kHz, several times as one stream; the state after each time."""
    size, stream = BLOCK_MS * SAMPLE_RATE // 1000, model.stream(model.speakers[0])
    for speaker in islice(cycle(model.speakers), count):
        begun = time.process_time()
        stream.set_speaker(speaker)
        for at in range(0, len(wave), size):
            stream.push(wave[at : at + size])
        seconds = time.process_time() - begun
        yield Minute(resident_mib(), seconds * SAMPLE_RATE / len(wave))


def resident_mib() -> float:
    """Resident memory of this process, MiB."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


if __name__ == "__main__":
    main()
