"""`python -m speechvq.convert`: the same sentence in another voice."""

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from speechvq.audio.waveform import SAMPLE_RATE, write_waveform
from speechvq.command import run
from speechvq.errors import UserError
from speechvq.sources import Source, find_sources, read_sources
from speechvq.speech.model import SpeechVQ
from speechvq.speech.model_directory import load_model

STREAMS = 16  # sentences spoken side by side


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.convert", description=__doc__)
    parser.add_argument("--src", type=Path, help="a sound file, a folder of them, or a manifest")
    parser.add_argument("--target-speaker", help="name of a voice, or several between commas")
    parser.add_argument("--out", type=Path, help="a .wav for one sound, otherwise a folder")
    parser.add_argument("--model", type=Path, required=True, help="model or run directory, for example exp/vctk64")
    parser.add_argument("--list-speakers", action="store_true", help="print the model's voices and end")
    parser.add_argument("--split", default="", help="of a manifest, only this split")
    parser.add_argument("--limit", type=int, default=0, help="at most so many sounds, spread over all")
    parser.add_argument("--seed", type=int, default=0, help="of the chance in sampling (default 0)")
    parser.add_argument("--temperature", type=float, default=1.0, help="below 1 is calmer, 0 the likeliest")
    parser.add_argument("--top-p", type=float, default=1.0, help="leave out the unlikeliest levels")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    model = load_model(arguments.model)
    if arguments.list_speakers:
        print("\n".join(model.speakers))
        return
    _check(arguments)
    sources = find_sources(arguments.src, split=arguments.split, limit=arguments.limit)
    targets = arguments.target_speaker.split(",")
    for target in targets:
        model.speaker_number(target)
    jobs = ((source, wave, target) for source, wave in read_sources(sources) for target in targets)
    while batch := list(itertools.islice(jobs, STREAMS)):
        for (source, _, target), spoken in zip(batch, _convert(model, batch, arguments)):
            path = _destination(arguments, source, target, single=len(sources) * len(targets) == 1)
            write_waveform(path, spoken)
            print(path)


def _check(arguments: argparse.Namespace) -> None:
    """Mistakes that need no file to be seen."""
    if not arguments.src or not arguments.target_speaker:
        raise UserError("--src and --target-speaker are needed (--list-speakers shows the voices)")
    if arguments.temperature < 0 or not 0 < arguments.top_p <= 1:
        raise UserError("--temperature must not be negative, and --top-p lies in (0, 1]")


def _convert(
    model: SpeechVQ, batch: list[tuple[Source, np.ndarray, str]], arguments: argparse.Namespace
) -> list[np.ndarray]:
    """Sounds as long and as loud as their sources, spoken side by side."""
    waves, targets = [wave for _, wave, _ in batch], [target for _, _, target in batch]
    seconds = round(max(map(len, waves)) / SAMPLE_RATE, 2)
    with tqdm(total=seconds, unit="s of sound", desc=f"{len(batch)} sounds", leave=False) as bar:
        return model.convert_all(
            waves,
            targets,
            seed=arguments.seed,
            temperature=arguments.temperature,
            top_p=arguments.top_p,
            on_frame=lambda done: bar.update(min(round(done / model.config.frame_rate, 2), seconds) - bar.n),
        )


def _destination(arguments: argparse.Namespace, source: Source, target: str, *, single: bool) -> Path:
    """One sound: --out, or SOURCE_TARGET.wav here. Several: OUT/TARGET/NAME.wav."""
    if single:
        return arguments.out or Path(f"{source.name}_{target}.wav")
    if arguments.out is None:
        raise UserError("several sounds need a folder: give --out DIR")
    return arguments.out / target / f"{source.name}.wav"


if __name__ == "__main__":
    raise SystemExit(main())
