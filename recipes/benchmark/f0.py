"""Errors and speed of F0 trackers on speech whose F0 is known exactly, clean and in noise.

The built-in corpus is synthesized again with a known F0 (the method of Salamon et al. 2017): the filter of
each 10 ms is that of the recording, the excitation is pulses that follow a given contour, and noise where it
is unvoiced. The contour is the recording's by our tracker, smoothed and shifted by up to four semitones. With
--manifest, natural recordings: each tracker is compared with the others where these agree. Trackers that are
not installed are left out: pip install pyworld-prebuilt swift-f0 torchfcpe
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.signal import medfilt

from speechvq.audio.f0 import F0_HOP, MAX_F0, MIN_F0, f0_contour, mean_f0
from speechvq.audio.glottal_phase import accumulate_cycles
from speechvq.audio.linear_prediction import local_rms, lpc_residual
from speechvq.audio.waveform import SAMPLE_RATE, normalize_level, read_waveform, root_mean_square
from speechvq.data.corpora.mini import corpus
from speechvq.data.manifest import read_manifest
from speechvq.metrics.f0_errors import f0_errors
from speechvq.speech.sampling.all_pole import all_pole
from timing import one_core, write_part

SNRS = (None, 20, 10, 5, 0)  # dB; None is clean
ORDER = 18  # of the filters
BREATH = 0.05  # RMS of the noise in voiced frames, relative to the pulses

Tracker = Callable[[np.ndarray], np.ndarray]  # (T,), 16 kHz, to (F,), Hz, 0 where unvoiced, 10 ms apart


Results = dict[str, dict[str, dict[str, float]]]  # by tracker, condition and metric


class Example(NamedTuple):
    """Speech with a known F0."""

    wave: np.ndarray  # (T,), 16 kHz
    f0: np.ndarray  # (F,), Hz, 0 where unvoiced


def build_parser() -> argparse.ArgumentParser:
    """The script's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--manifest", type=Path, help="natural recordings to compare on (default: known F0, extra mini)"
    )
    parser.add_argument("--count", type=int, default=20, help="sentences (default: %(default)s)")
    parser.add_argument("--json", type=Path, required=True, help="write the numbers to this file")
    return parser


def main() -> None:
    """Measure every tracker, print a table, write the numbers."""
    arguments = build_parser().parse_args()
    one_core()
    trackers, left_out = available_trackers()
    if arguments.manifest:
        paths = evenly([each.path for each in read_manifest(arguments.manifest)], arguments.count)
        waves = [read_waveform(path) for path in paths]
        results = compare_with_consensus(trackers, waves)
    else:
        examples = [resynthesize(*each) for each in enumerate(built_in_recordings(arguments.count))]
        waves = [example.wave for example in examples]
        for tracker in trackers.values():
            tracker(waves[0])  # compiles and loads
        results = compare_with_truth(trackers, examples)
    write_part(arguments.json, {"f0": results})
    print(f"{len(waves)} sentences, {sum(map(len, waves)) / SAMPLE_RATE:.0f} s")
    print(table(results))
    print("\n".join(left_out))


def built_in_recordings(count: int) -> Iterator[np.ndarray]:
    """Recordings of ten voices of the built-in corpus."""
    with tempfile.TemporaryDirectory() as folder:
        corpus.build(Path(folder), speakers=10, sentences=-(-count // 10), jobs=1)
        yield from map(read_waveform, evenly(sorted(Path(folder).rglob("*.flac")), count))


def evenly(paths: Sequence[Path], count: int) -> list[Path]:
    """At most `count` of the paths, evenly spaced."""
    return [paths[i] for i in np.linspace(0, len(paths) - 1, min(count, len(paths))).astype(int)]


def compare_with_truth(trackers: dict[str, Tracker], examples: Sequence[Example]) -> Results:
    """Errors and speed of each tracker in each noise."""
    results: Results = {name: {} for name in trackers}
    for snr in SNRS:
        noisy = [add_noise(example.wave, snr, seed) for seed, example in enumerate(examples)]
        for name, tracker in trackers.items():
            results[name]["clean" if snr is None else f"{snr} dB"] = measure(tracker, noisy, examples)
    return results


def compare_with_consensus(trackers: dict[str, Tracker], waves: Sequence[np.ndarray]) -> Results:
    """Errors of each tracker on natural speech where at least three of the others agree within 10 %.

    The median of the others is the reference there; frames without such agreement are left out, and voicing
    is not compared.
    """
    tracks = {name: [tracker(wave) for wave in waves] for name, tracker in trackers.items()}
    results: Results = {}
    for name in trackers:
        pairs = []
        for i in range(len(waves)):
            length = min(len(each[i]) for each in tracks.values())
            others = np.stack([each[i][:length] for other, each in tracks.items() if other != name])
            others = np.where(others > 0, others, np.nan)
            middle = np.nanmedian(np.where(np.isfinite(others).any(0), others, 1.0), axis=0)
            agree = (np.abs(others / middle - 1) < 0.1).sum(0)
            kept = (agree >= 3) & (agree == np.isfinite(others).sum(0)) & (tracks[name][i][:length] > 0)
            pairs.append((middle[kept], tracks[name][i][:length][kept]))
        reference, estimate = (np.concatenate(each) for each in zip(*pairs))
        undefined = {"voicing_error": float("nan"), "speed": float("nan")}
        results[name] = {"natural": f0_errors(reference, estimate)._asdict() | undefined}
    return results


def resynthesize(seed: int, wave: np.ndarray) -> Example:
    """A recording with the F0 of a smoothed, shifted contour."""
    rng = np.random.default_rng(seed)
    f0 = medfilt(f0_contour(wave).astype(float), 5) * 2 ** rng.uniform(-1 / 3, 1 / 3)
    f0[f0 > 0] = f0[f0 > 0].clip(MIN_F0, MAX_F0)
    cycles, samples = accumulate_cycles(f0, len(wave)), np.arange(len(wave))
    nearest = ((samples + F0_HOP // 2) // F0_HOP).clip(max=len(f0) - 1)
    voiced = np.convolve(f0[nearest] > 0, np.ones(80) / 80, mode="same")  # fades of 5 ms
    hertz = (
        np.interp(samples, np.flatnonzero(f0 > 0) * F0_HOP, f0[f0 > 0])
        if f0.any()
        else np.full(len(wave), 100)
    )
    pulses = np.zeros(len(wave))
    for harmonic in range(1, int(SAMPLE_RATE / 2 / max(mean_f0(f0) * 0.6, MIN_F0)) + 1):
        pulses += np.cos(2 * np.pi * harmonic * cycles) * (harmonic * hertz < 0.45 * SAMPLE_RATE)
    pulses /= max(root_mean_square(pulses), 1e-9)
    noise = rng.standard_normal(len(wave))
    excitation = voiced * (pulses + BREATH * noise) + (1 - voiced) * noise
    return Example(normalize_level(_filter_like(wave, excitation)).astype(np.float32), f0)


def _filter_like(wave: np.ndarray, excitation: np.ndarray) -> np.ndarray:
    """An excitation (T,) of unit RMS with the spectral envelope and level of a recording (T,)."""
    blocks = -(-len(wave) // F0_HOP)
    window = 3 * F0_HOP
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(wave, window), window)[2 * F0_HOP :: F0_HOP][
        :blocks
    ]
    spectra = np.abs(np.fft.rfft(frames * np.hanning(window), 1024)) ** 2
    correlation = np.fft.irfft(spectra)[:, : ORDER + 1] * np.exp(-0.5 * (0.01 * np.arange(ORDER + 1)) ** 2)
    correlation[:, 0] = correlation[:, 0] * 1.001 + 1e-9
    lags = np.abs(np.arange(ORDER)[:, None] - np.arange(ORDER))
    taps = np.linalg.solve(correlation[:, lags], correlation[:, 1:, None])[..., 0]
    gain = local_rms(lpc_residual(wave))
    filtered = np.pad(excitation * gain, (0, blocks * F0_HOP - len(wave)))
    all_pole(filtered, np.ascontiguousarray(taps), np.zeros(ORDER), F0_HOP)
    return filtered[: len(wave)]


def add_noise(wave: np.ndarray, snr: float | None, seed: int) -> np.ndarray:
    """A waveform (T,) with pink noise at a signal-to-noise ratio in dB; None adds none."""
    if snr is None:
        return wave.astype(np.float32)
    white = np.fft.rfft(np.random.default_rng(seed).standard_normal(len(wave)))
    hertz = np.fft.rfftfreq(len(wave), 1 / SAMPLE_RATE)
    pink = np.fft.irfft(white / np.sqrt(np.maximum(hertz, 50.0)), len(wave))
    level = root_mean_square(wave) * 10 ** (-snr / 20) / root_mean_square(pink)
    return (wave + level * pink).astype(np.float32)


def measure(tracker: Tracker, waves: Sequence[np.ndarray], examples: Sequence[Example]) -> dict[str, float]:
    """Errors over all frames, and seconds of audio per processor second."""
    begun = time.process_time()
    estimates = [tracker(wave) for wave in waves]
    spent = time.process_time() - begun
    length = [min(len(estimate), len(example.f0)) for estimate, example in zip(estimates, examples)]
    errors = f0_errors(
        np.concatenate([example.f0[:n] for example, n in zip(examples, length)]),
        np.concatenate([estimate[:n] for estimate, n in zip(estimates, length)]),
    )
    return errors._asdict() | {"speed": sum(map(len, waves)) / SAMPLE_RATE / max(spent, 1e-9)}


def available_trackers() -> tuple[dict[str, Tracker], list[str]]:
    """The trackers that are installed, and a line for each that is not."""
    trackers: dict[str, Tracker] = {"speechvq": f0_contour, "librosa.pyin": track_by_pyin}
    left_out = []
    for name, build in (
        ("WORLD, DIO and StoneMask", dio),
        ("WORLD, Harvest and StoneMask", harvest),
        ("SwiftF0", swift_f0),
        ("FCPE", fcpe),
    ):
        try:
            trackers[name] = build()
        except ImportError as error:
            left_out.append(f"left out: {name} ({error})")
    return trackers, left_out


def track_by_pyin(wave: np.ndarray) -> np.ndarray:
    """Probabilistic YIN (Mauch and Dixon 2014)."""
    from librosa import pyin

    f0, _, _ = pyin(wave, fmin=MIN_F0, fmax=MAX_F0, sr=SAMPLE_RATE, frame_length=1024, hop_length=F0_HOP)
    return np.nan_to_num(f0)


def dio() -> Tracker:
    """DIO (Morise et al. 2009), refined by StoneMask."""
    return _world("dio")


def harvest() -> Tracker:
    """Harvest (Morise 2017), refined by StoneMask."""
    return _world("harvest")


def _world(name: str) -> Tracker:
    import pyworld

    def track(wave: np.ndarray) -> np.ndarray:
        samples, options = (
            wave.astype(np.float64),
            {"f0_floor": MIN_F0, "f0_ceil": MAX_F0, "frame_period": 10.0},
        )
        f0, times = getattr(pyworld, name)(samples, SAMPLE_RATE, **options)
        return pyworld.stonemask(samples, f0, times, SAMPLE_RATE)

    return track


def swift_f0() -> Tracker:
    """SwiftF0 (Nieradzik 2025), a convolutional network; frames every 16 ms are interpolated."""
    from swift_f0 import SwiftF0

    detector = SwiftF0(threads=1)

    def track(wave: np.ndarray) -> np.ndarray:
        found = detector.detect(wave, SAMPLE_RATE, fmin=MIN_F0, fmax=MAX_F0)
        times = np.arange(-(-len(wave) // F0_HOP)) * F0_HOP / SAMPLE_RATE
        voiced = found.confidence >= 0.5
        if not voiced.any():
            return np.zeros(len(times))
        f0 = np.exp(np.interp(times, found.timestamps[voiced], np.log(found.pitch_hz[voiced])))
        return np.where(np.interp(times, found.timestamps, found.confidence) >= 0.5, f0, 0.0)

    return track


def fcpe() -> Tracker:
    """FCPE (Luo et al. 2025), a conformer."""
    import torch
    from torchfcpe import spawn_bundled_infer_model

    model = spawn_bundled_infer_model(device="cpu")

    def track(wave: np.ndarray) -> np.ndarray:
        samples = torch.from_numpy(wave)[None, :, None]
        with torch.inference_mode():
            found = model.infer(samples, sr=SAMPLE_RATE, f0_min=MIN_F0, f0_max=MAX_F0)
        return found[0, :, 0].numpy()

    return track


def table(results: Results) -> str:
    """Markdown: a row per tracker and condition."""
    lines = [
        "| tracker | noise | gross error (%) | octave error (%) | voicing error (%) | RMSE (cents) | "
        "x real time |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, conditions in results.items():
        for condition, row in conditions.items():
            cells = [100 * row[key] for key in ("gross_error", "octave_error", "voicing_error")]
            numbers = " | ".join(f"{cell:.1f}" for cell in [*cells, row["rmse_cents"], row["speed"]])
            lines.append(f"| {name} | {condition} | {numbers} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
