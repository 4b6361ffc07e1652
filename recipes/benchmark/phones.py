"""Phone error rates of phone recognizers on recordings with phone alignments, also in noise.

The alignments of a forced aligner are its phones for the spoken words, without regard to what was really
said, so that not even a perfect recognizer reaches 0. Recognizers that are not installed are left out.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from speechvq.alignment.directory import open_alignments
from speechvq.alignment.phones import is_silence
from speechvq.audio.waveform import SAMPLE_RATE, read_waveform, root_mean_square
from speechvq.data.manifest import read_manifest
from speechvq.errors import UserError
from speechvq.metrics.bootstrap import weighted_mean_with_interval
from speechvq.metrics.edit_distance import error_rate
from timing import one_core, write_part

SNRS = (None, 10)  # dB; None is clean


def build_parser() -> argparse.ArgumentParser:
    """The script's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="recordings")
    parser.add_argument("--alignments", type=Path, required=True, help="their phone alignments")
    parser.add_argument("--count", type=int, default=20, help="sentences (default: %(default)s)")
    parser.add_argument("--json", type=Path, required=True, help="write the numbers to this file")
    return parser


def main() -> None:
    """Measure both recognizers, print a table, write the numbers."""
    arguments = build_parser().parse_args()
    one_core()
    alignments = open_alignments(arguments.alignments)
    known = [each for each in read_manifest(arguments.manifest) if each.utt in alignments.places]
    chosen = [known[i] for i in np.linspace(0, len(known) - 1, min(arguments.count, len(known))).astype(int)]
    waves = [read_waveform(each.path) for each in chosen]
    references = [
        [part.phone for part in alignments.read(each.utt) if not is_silence(part.phone)] for each in chosen
    ]
    results: dict[str, Any] = {}
    print("| recognizer | noise | phone error rate (%) | 95 % CI | x real time |")
    print("| --- | --- | --- | --- | --- |")
    for name, recognizer in recognizers().items():
        for snr in SNRS:
            condition = "clean" if snr is None else f"{snr} dB"
            begun = time.process_time()
            found = [recognizer.phones(_in_noise(wave, snr, seed)) for seed, wave in enumerate(waves)]
            speed = sum(map(len, waves)) / SAMPLE_RATE / (time.process_time() - begun)
            rates = [error_rate(reference, phones) for reference, phones in zip(references, found)]
            estimate = weighted_mean_with_interval(rates, [len(each) for each in references])
            results[f"{name}, {condition}"] = [*estimate, speed]
            mean, low, high = (f"{100 * value:.1f}" for value in estimate)
            print(f"| {name} | {condition} | {mean} | {low} to {high} | {speed:.1f} |")
    print(f"{len(waves)} sentences, {sum(map(len, references))} phones")
    write_part(arguments.json, {"phones": results})


def recognizers() -> dict[str, Any]:
    """The recognizers that are installed."""
    from speechvq.alignment.pocketsphinx import PhoneRecognizer
    from speechvq.judges.ctc_phones import CtcPhoneRecognizer

    found = {}
    for name, build in (("PocketSphinx", PhoneRecognizer), ("hama, CTC", CtcPhoneRecognizer)):
        try:
            found[name] = build()
        except UserError as error:
            print(f"left out: {error}")
    return found


def _in_noise(wave: np.ndarray, snr: float | None, seed: int) -> np.ndarray:
    """A waveform (T,) with white noise at a signal-to-noise ratio in dB."""
    if snr is None:
        return wave
    noise = np.random.default_rng(seed).standard_normal(len(wave))
    return (wave + root_mean_square(wave) * 10 ** (-snr / 20) * noise).astype(np.float32)


if __name__ == "__main__":
    main()
