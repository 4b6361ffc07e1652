"""Time against the length of one stream, and against the number of utterances on all cores."""

import argparse
import time
from pathlib import Path
from typing import Any

import torch

from sampling import DIM, HOP, RATE, random_wavenet
from speechvq.config import WAVENET_SIZES, WaveNetConfig
from speechvq.io.atomic import atomic_file
from speechvq.speech.decoder.wavenet import WaveNet
from speechvq.speech.sampling.numba_engine import warm_up_jit
from speechvq.speech.sampling.request import SynthesisRequest
from speechvq.speech.sampling.sampler import sample_chunks
from timing import measurement_parser, write_part

SECONDS = (1, 6, 60, 600)
UTTERANCES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
PRECISION = "bf16"  # the faster one, so that ten minutes of audio take a few minutes


def build_parser() -> argparse.ArgumentParser:
    """The script's flags."""
    parser = measurement_parser(__doc__)
    parser.add_argument("--figure", type=Path, required=True, help="write the plot to this PNG file")
    return parser


def main() -> None:
    """Measure and plot."""
    arguments = build_parser().parse_args()
    torch.set_num_threads(1)
    brief: dict[str, Any] = (
        {"seconds": (0.1, 0.2), "utterances": (1, 2), "one": 0.1} if arguments.brief else {}
    )
    part = measure(WAVENET_SIZES["S"], **brief)
    write_part(arguments.json, part)
    plot_scaling(part["scaling"], arguments.figure)


def measure(
    config: WaveNetConfig,
    seconds: tuple[float, ...] = SECONDS,
    utterances: tuple[int, ...] = UTTERANCES,
    one: float = 1.0,
) -> dict[str, Any]:
    """Wall-clock seconds for several lengths, and for several numbers of utterances of `one` seconds."""
    wavenet = random_wavenet(config)
    warm_up_jit(PRECISION)
    _synthesis_seconds(wavenet, 1, 0.1)
    lengths = {str(each): _synthesis_seconds(wavenet, 1, each) for each in seconds}
    numbers = {str(each): _synthesis_seconds(wavenet, each, one) for each in utterances}
    return {"scaling": {"seconds_of_sound": lengths, "utterances": numbers, "seconds_an_utterance": one}}


def _synthesis_seconds(wavenet: WaveNet, streams: int, seconds: float) -> float:
    """Wall-clock seconds for a number of streams of a length in seconds."""
    frames = max(round(seconds * RATE / HOP), 1)
    request = SynthesisRequest(torch.randn(streams, frames, DIM), torch.zeros(streams, dtype=torch.long), HOP)
    begun = time.perf_counter()
    for _ in sample_chunks(
        wavenet,
        request,
        lambda start, stop: torch.rand(streams, stop - start, dtype=torch.float64),
        precision=PRECISION,
    ):
        pass
    return time.perf_counter() - begun


def plot_scaling(scaling: dict[str, Any], path: Path) -> None:
    """Plot two panels, each with a line of proportional growth."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    names = {"seconds_of_sound": "seconds of audio, one stream", "utterances": "utterances, all cores"}
    for panel, (key, label) in zip(panels, names.items()):
        x, y = [float(each) for each in scaling[key]], list(scaling[key].values())
        middle = len(x) // 2 if key == "seconds_of_sound" else 0
        panel.loglog(x, y, "o-", label="measured")
        panel.loglog(
            x, [y[middle] * each / x[middle] for each in x], "--", color="grey", label="proportional"
        )
        panel.set(xlabel=label, ylabel="wall-clock seconds")
        panel.grid(alpha=0.3, which="both")
    panels[0].legend()
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=120)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
