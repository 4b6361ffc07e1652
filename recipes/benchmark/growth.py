"""How processor time and memory grow, with fitted exponents, and what a hundred times more would take.

Each size runs in a process of its own, forked after the imports, on one core. The exponent is that of a power
of the size through the larger half of the sizes; 1 is proportional. Memory is the peak less the start's.
"""

import argparse
import json
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

import scoring
import speechvq
from speechvq.config.pixelcnn import PixelCNNConfig
from speechvq.data.tracks import track
from speechvq.io.atomic import atomic_file
from speechvq.metrics.units.abx import AbxOptions, abx_error
from speechvq.metrics.units.abx_items import Item
from speechvq.metrics.units.frame_distance import angular
from speechvq.priors.grid.pixelcnn import Grid, PixelCNN
from speechvq.priors.grid.sampling import sample_grids
from speechvq.quantizer import nearest_code
from timing import one_core, write_part

RATE = 16_000
FACTOR = 100  # of the largest size, for the forecast
FLOORS = {"seconds": 1e-3, "mib": 8.0}


class Subject(NamedTuple):
    """Work of a size."""

    unit: str
    sizes: tuple[int, ...]
    prepare: Callable[[int], Callable[[], object]]


def build_parser() -> argparse.ArgumentParser:
    """The script's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="write the numbers to this file")
    parser.add_argument("--figure", type=Path, required=True, help="write the plot to this PNG file")
    parser.add_argument("--brief", action="store_true", help="the two smallest sizes, to try the script")
    return parser


def main() -> None:
    """Measure, fit and plot."""
    arguments = build_parser().parse_args()
    one_core()
    growth = {}
    for name, subject in SUBJECTS.items():
        sizes = subject.sizes[:2] if arguments.brief else subject.sizes
        growth[name] = fit(subject.unit, [measure(subject, size) for size in sizes])
        print(f"{name}: {growth[name]['text']}", flush=True)
    write_part(arguments.json, {"growth": growth})
    plot(growth, arguments.figure)


def measure(subject: Subject, size: int) -> dict[str, float]:
    """Processor seconds and peak MiB of a size, in a forked process."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            work = subject.prepare(size)
            subject.prepare(subject.sizes[0])()  # compiles and allocates
            before, begun = _peak_mib(), time.process_time()
            work()
            result = {"seconds": time.process_time() - begun, "mib": _peak_mib() - before}
            os.write(writing, json.dumps({"size": size} | result).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    if not text:
        raise RuntimeError(f"{subject.unit}: size {size} failed")
    found: dict[str, float] = json.loads(text)
    return found


def fit(unit: str, rows: list[dict[str, float]]) -> dict[str, Any]:
    """The rows, the exponents of time and memory, and the forecast for FACTOR times the largest size."""
    half = rows[-max(len(rows) // 2 + 1, 2) :]
    exponents = {key: _exponent(half, key) for key in ("seconds", "mib")}
    forecast = {key: rows[-1][key] * FACTOR ** max(exponents[key], 0.0) for key in exponents}
    grown = {"unit": unit, "rows": rows, "exponents": exponents, "forecast": forecast}
    return grown | {"text": line(grown)}


def _exponent(rows: list[dict[str, float]], key: str) -> float:
    """Slope of the logarithms; values below the floor, which are noise, count as the floor."""
    sizes = np.log([row["size"] for row in rows])
    values = np.log([max(row[key], FLOORS[key]) for row in rows])
    return float(np.polyfit(sizes, values, 1)[0])


def line(grown: dict[str, Any]) -> str:
    """A line of the report."""
    last, exponents, ahead = grown["rows"][-1], grown["exponents"], grown["forecast"]
    return (
        f"{last['size']:,.0f} {grown['unit']} take {last['seconds']:.2f} s and {last['mib']:,.0f} MiB; "
        f"exponents "
        f"{exponents['seconds']:.2f} and {exponents['mib']:.2f}; {FACTOR} times as many: "
        f"{ahead['seconds'] / 60:,.1f} min and {ahead['mib'] / 1024:,.1f} GiB"
    )


def plot(growth: dict[str, Any], path: Path) -> None:
    """Time and memory against the size, relative to the smallest, a line for each subject."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for panel, key, label in zip(panels, ("seconds", "mib"), ("processor seconds", "MiB beyond the start")):
        for name, grown in growth.items():
            rows = grown["rows"]
            places = [row["size"] / rows[0]["size"] for row in rows]
            exponent = f"{name} ({grown['exponents'][key]:.2f})"
            panel.loglog(places, [max(row[key], 1e-3) for row in rows], "o-", label=exponent)
        panel.set(xlabel="times the smallest size", ylabel=label)
        panel.grid(alpha=0.3, which="both")
        panel.legend(fontsize=7)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=120)
    pyplot.close(figure)


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _speech(seconds: int) -> np.ndarray:
    """Noise in syllables: the time does not depend on what is said."""
    rng, samples = np.random.default_rng(0), seconds * RATE
    loud = 0.5 + 0.5 * np.sin(2 * np.pi * 4 * np.arange(samples) / RATE)
    return (0.05 * loud * rng.standard_normal(samples)).astype(np.float32)


def _encoding(seconds: int) -> Callable[[], object]:
    model, wave = speechvq.load(), _speech(seconds)
    return lambda: model.encode(wave)


def _tracking(seconds: int) -> Callable[[], object]:
    wave = _speech(seconds)
    return lambda: track(wave)


def _decoding(streams: int) -> Callable[[], object]:
    model = speechvq.load()
    codes = [np.zeros(round(2 * model.config.frame_rate), np.int64)] * streams
    return lambda: model.decode(codes, [model.speakers[0]] * streams)


def _searching_codes(codes: int) -> Callable[[], object]:
    vectors, codebook = torch.randn(2_000, 64), torch.randn(codes, 64)
    return lambda: nearest_code(vectors, codebook)


def _searching_vectors(count: int) -> Callable[[], object]:
    vectors, codebook = torch.randn(count, 64), torch.randn(512, 64)
    return lambda: nearest_code(vectors, codebook)


def _scoring(frames: int) -> Callable[[], object]:
    return lambda: scoring.measure(frames, 100)


def _discriminating(count: int) -> Callable[[], object]:
    rng, items, first = np.random.default_rng(0), list[Item](), 0
    for i in range(count):
        end = first + int(rng.integers(2, 7))
        items.append(
            Item("ABCDEFGH"[rng.integers(8)], ("p", "q"), f"s{i % max(count // 200, 2)}", first, end)
        )
        first = end
    frames = rng.standard_normal((first, 64), np.float32)
    return lambda: abx_error(items, angular(frames), AbxOptions("within"))


def _sampling_grids(side: int) -> Callable[[], object]:
    grid = Grid(side, side, 1, 64)
    pixelcnn = PixelCNN(PixelCNNConfig(layers=4, channels=32, hidden_channels=64), grid, 0).eval()
    uniforms = torch.rand(1, side, side, 1)
    return lambda: sample_grids(pixelcnn, uniforms)


SUBJECTS = {
    "encode": Subject("seconds", (5, 20, 80, 320), _encoding),
    "F0 and phase": Subject("seconds", (5, 20, 80, 320), _tracking),
    "decode": Subject("streams of 2 s", (1, 4, 16), _decoding),
    "codebook": Subject("codes K", (64, 1_024, 8_192, 65_536), _searching_codes),
    "vectors": Subject("vectors, K = 512", (1_000, 10_000, 100_000, 1_000_000), _searching_vectors),
    "purity": Subject("frames", (100_000, 1_000_000, 10_000_000), _scoring),
    "ABX": Subject("items", (500, 2_000, 8_000), _discriminating),
    "PixelCNN": Subject("rows and columns", (8, 16, 32, 64), _sampling_grids),
}

if __name__ == "__main__":
    main()
