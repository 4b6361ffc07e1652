"""The package against the programs that people use for the same work, and against real time.

Both sides of a ratio run in turn in one process, on one core. A peer that is not installed is left out, with
the reason. `pip install 'speechvq[benchmark]'` installs the peers.
"""

import argparse
import importlib
import resource
import statistics
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import speechvq
from f0 import dio, harvest, track_by_pyin
from sampling import DIM, HOP, random_wavenet
from speechvq.audio.f0 import f0_contour
from speechvq.audio.waveform import SAMPLE_RATE, read_waveform, write_waveform
from speechvq.config import WAVENET_SIZES, WaveNetConfig
from speechvq.data.corpora.recording import Recording
from speechvq.data.preprocessing import preprocess_recording
from speechvq.metrics.units.kmeans import KMeansQuantizer
from speechvq.speech.sampling.sampler import sample
from timing import REPEATS, Work, alternate, measurement_parser, one_core, rounds, write_part

ROOT = Path(__file__).parents[2]
SPEECH = ROOT / "docs/enroll.flac"  # 14 seconds
SHORT_SAMPLES = SAMPLE_RATE // 5  # of a recording whose conversion is little but start-up
PEERS = {  # distribution and module of each
    "wavenet_vocoder": "wavenet_vocoder",
    "vector-quantize-pytorch": "vector_quantize_pytorch",
    "librosa": "librosa",
    "pyworld-prebuilt": "pyworld",
    "scikit-learn": "sklearn",
}


def build_parser() -> argparse.ArgumentParser:
    """The script's flags."""
    return measurement_parser(__doc__)


def main() -> None:
    """Measure in this process."""
    arguments = build_parser().parse_args()
    one_core()
    warnings.simplefilter("ignore")  # of the peers
    repeats, speech = rounds(arguments.brief), read_waveform(SPEECH)
    parts = [
        sampling(WAVENET_SIZES["S"], 64 if arguments.brief else 512, repeats),
        tracking(speech[: 4 * SAMPLE_RATE], repeats),
        clustering(100_000 if not arguments.brief else 5_000, repeats),
        commands(speech[: 10 * SAMPLE_RATE], repeats),
        {"peers": peers()},
    ]
    merged: dict[str, Any] = {}
    for part in parts:
        for key, values in part.items():
            merged.setdefault(key, {}).update(values)
    write_part(arguments.json, merged)


def peers() -> dict[str, str]:
    """The version of each peer, or why it is left out."""
    found = {}
    for name, module in PEERS.items():
        try:
            importlib.import_module(module)
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "installed, version unknown"
        except ImportError as error:
            found[name] = f"left out ({error})"
    return found


def sampling(config: WaveNetConfig, samples: int, repeats: int = REPEATS) -> dict[str, Any]:
    """One stream of our kernels and of r9y9's wavenet_vocoder, with the same sizes and random weights."""
    wavenet, kernel_samples = random_wavenet(config), 16 * samples
    works: dict[str, Work] = {
        name: _kernels(wavenet, kernel_samples, precision=name) for name in ("fp32", "bf16")
    }
    amounts = dict.fromkeys(works, kernel_samples)
    if (peer := _wavenet_vocoder(config, samples)) is not None:
        works["wavenet_vocoder"], amounts["wavenet_vocoder"] = peer, samples
    seconds = alternate(works, repeats)
    rates = {name: amounts[name] / seconds[name] for name in works}
    ratios = {}
    if peer is not None:
        ratios = {
            f"S_{name}_vs_wavenet_vocoder": rates[name] / rates["wavenet_vocoder"]
            for name in ("fp32", "bf16")
        }
    return {"ratios": ratios, "peer_samples_per_second": rates}


def _kernels(wavenet: Any, samples: int, precision: str) -> Callable[[], Tensor]:
    vectors, speaker = torch.randn(1, samples // HOP, DIM), torch.zeros(1, dtype=torch.long)
    uniforms = torch.rand(1, samples, dtype=torch.float64)
    return lambda: sample(wavenet, vectors, speaker, uniforms, engine="numba", precision=precision)


def _wavenet_vocoder(config: WaveNetConfig, samples: int) -> Callable[[], Tensor] | None:
    """r9y9's decoder of the same sizes; it takes the conditioning at the rate of the samples."""
    try:
        from wavenet_vocoder import WaveNet
    except ImportError:
        return None
    model = WaveNet(
        out_channels=config.mulaw_bins,
        layers=config.stacks * config.layers,
        stacks=config.stacks,
        residual_channels=config.residual_channels,
        gate_channels=2 * config.residual_channels,
        skip_out_channels=config.skip_channels,
        kernel_size=2,
        dropout=0.0,
        cin_channels=config.conditioning_channels,
        legacy=False,
    ).eval()
    model.make_generation_fast_()
    condition = torch.randn(1, config.conditioning_channels, samples)

    @torch.no_grad()
    def work() -> Tensor:
        made: Tensor = model.incremental_forward(c=condition, T=samples)
        return made

    return work


def tracking(speech: np.ndarray, repeats: int = REPEATS) -> dict[str, Any]:
    """F0 of a recording by our tracker and the others; 50 to 400 Hz, a value per 10 ms."""
    works: dict[str, Work] = {
        "speechvq": lambda: f0_contour(speech),
        "pyin": lambda: track_by_pyin(speech),
    }
    for name, build in (("dio", dio), ("harvest", harvest)):
        try:
            works[name] = _tracker(build(), speech)
        except ImportError:
            continue
    seconds = alternate(works, repeats)
    return {
        "ratios": {
            f"f0_vs_{name}": each / seconds["speechvq"]
            for name, each in seconds.items()
            if name != "speechvq"
        },
        "f0_x_real_time": {name: len(speech) / SAMPLE_RATE / each for name, each in seconds.items()},
    }


def _tracker(track: Callable[[np.ndarray], np.ndarray], speech: np.ndarray) -> Work:
    return lambda: track(speech)


def clustering(frames: int, repeats: int = REPEATS, codes: int = 512) -> dict[str, Any]:
    """Nearest centroids of MFCC frames: our search and scikit-learn's `KMeans.predict`, equal centroids."""
    from sklearn.cluster import KMeans

    rng = np.random.default_rng(0)
    data = rng.standard_normal((frames, 39)).astype(np.float32)
    theirs = KMeans(codes, n_init=1, max_iter=1, random_state=0).fit(data[: 4 * codes])
    ours = KMeansQuantizer(lambda wave: wave, theirs.cluster_centers_.astype(np.float32))
    seconds = alternate({"ours": lambda: ours.nearest(data), "theirs": lambda: theirs.predict(data)}, repeats)
    return {"ratios": {"kmeans_vs_sklearn": seconds["theirs"] / seconds["ours"]}}


def commands(speech: np.ndarray, repeats: int = REPEATS) -> dict[str, Any]:
    """Seconds of audio per processor second of encoding, decoding and preparation, and start-up."""
    model, seconds_of_audio = speechvq.load(), len(speech) / SAMPLE_RATE
    codes = model.encode(speech)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        write_waveform(path, speech)
        recording = Recording("speech", "speaker", path)
        seconds = alternate(
            {
                "encode": lambda: model.encode(speech),
                "decode": lambda: model.decode(codes, model.speakers[0]),
                "prepare": lambda: preprocess_recording(recording, Path(folder) / "out"),
            },
            repeats,
        )
        short = Path(folder) / "short.wav"
        write_waveform(short, speech[:SHORT_SAMPLES])
        command = [
            "-m",
            "speechvq.convert",
            "--target-speaker",
            model.speakers[0],
            "--out",
            f"{folder}/a.wav",
        ]
        torch_alone = processor_seconds(["-c", "import torch"], repeats)
        started = processor_seconds([*command, "--src", str(short)], repeats)
        whole = processor_seconds([*command, "--src", str(path)], repeats)
        help_ = processor_seconds(["-m", "speechvq.convert", "--help"], repeats)
    return {
        "ratios": {
            "decoder_default_rtf": seconds["decode"] / seconds_of_audio,
            "encode_x_real_time": seconds_of_audio / seconds["encode"],
            "prepare_x_real_time": seconds_of_audio / seconds["prepare"],
            "startup_seconds": started - torch_alone,
            "help_seconds": help_,
            "convert_ten_seconds": whole,
        },
        "command_seconds": {"import torch": torch_alone, "convert of 0.2 s": started},
    }


def processor_seconds(arguments: list[str], repeats: int) -> float:
    """Median processor seconds of a Python process, user and system."""
    spent = []
    for number in range(repeats + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], check=True, cwd=ROOT, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if number:  # the first one reads the files from the disk
            spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(spent)


if __name__ == "__main__":
    main()
