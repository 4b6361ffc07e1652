"""`python -m speechvq.convert`: the same sentence in another voice."""

import argparse
import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import speechvq
from speechvq.audio.waveform import SAMPLE_RATE, write_waveform
from speechvq.command import run
from speechvq.errors import UserError
from speechvq.progress import counter
from speechvq.sources import Source, find_sources, read_sources

STREAMS = 16  # sentences spoken side by side
ENDINGS = (".wav", ".flac")  # that can be written
Place = tuple[Source, str]  # a sound and its target


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.convert", description=__doc__)
    parser.add_argument("--src", type=Path, help="a sound file, a folder of them, or a manifest")
    parser.add_argument("--target-speaker", help="name of a voice, or several between commas")
    parser.add_argument("--out", type=Path, help="a .wav for one sound, otherwise a folder")
    parser.add_argument(
        "--model", type=Path, required=True, help="model or run directory, for example exp/vctk64"
    )
    parser.add_argument("--list-speakers", action="store_true", help="print the model's voices and end")
    parser.add_argument("--split", default="", help="of a manifest, only this split")
    parser.add_argument("--limit", type=int, default=0, help="at most so many sounds, spread over all")
    parser.add_argument("--seed", type=int, default=0, help="of the chance in sampling (default 0)")
    parser.add_argument("--temperature", type=float, default=1.0, help="below 1 is calmer, 0 the likeliest")
    parser.add_argument("--top-p", type=float, default=1.0, help="leave out the unlikeliest levels")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, 2 for a user's mistake, 130 after Ctrl-C."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    if arguments.list_speakers:
        print("\n".join(speechvq.load(arguments.model).speakers))
        return
    _check(arguments)
    sources = find_sources(arguments.src, split=arguments.split, limit=arguments.limit)
    targets = [name.strip() for name in arguments.target_speaker.split(",")]
    places = _places(arguments, sources, targets)
    model = speechvq.load(arguments.model)
    for target in targets:
        model.speaker_number(target)
    jobs = ((source, wave, target) for source, wave in read_sources(sources) for target in targets)
    while batch := list(itertools.islice(jobs, STREAMS)):
        for (source, _, target), spoken in zip(batch, _convert(model, batch, arguments)):
            write_waveform(places[source, target], spoken)
            print(places[source, target])


def _check(arguments: argparse.Namespace) -> None:
    """Mistakes that need no file to be seen."""
    if not arguments.src or not arguments.target_speaker:
        raise UserError("--src and --target-speaker are needed (--list-speakers shows the voices)")
    if not 0 <= arguments.seed < 2**63:
        raise UserError(f"--seed {arguments.seed}: give a whole number from 0 to 2^63 - 1")
    if not 0 <= arguments.temperature < math.inf or not 0 < arguments.top_p <= 1:
        raise UserError("--temperature must not be negative, and --top-p lies in (0, 1]")


def _convert(
    model: "speechvq.SpeechVQ", batch: list[tuple[Source, np.ndarray, str]], arguments: argparse.Namespace
) -> list[np.ndarray]:
    """Sounds as long and as loud as their sources, spoken side by side."""
    waves, targets = [wave for _, wave, _ in batch], [target for _, _, target in batch]
    seconds = round(max(map(len, waves)) / SAMPLE_RATE, 2)
    with counter(seconds, label=f"{len(batch)} sounds", unit="s of sound") as count:
        return model.convert_all(
            waves,
            targets,
            seed=arguments.seed,
            temperature=arguments.temperature,
            top_p=arguments.top_p,
            on_frame=lambda done: count(round(done / model.config.frame_rate, 2)),
        )


def _places(arguments: argparse.Namespace, sources: list[Source], targets: list[str]) -> dict[Place, Path]:
    """Where everything goes. A sound file: --out, or SOURCE_TARGET.wav here. Several: OUT/TARGET/NAME.wav.

    Raises:
        UserError: --out is missing, or does not fit what is to be written.
    """
    out: Path | None = arguments.out
    if [source.path for source in sources] == [arguments.src] and len(targets) == 1 and not _is_folder(out):
        path = out or Path(f"{sources[0].name}_{targets[0]}.wav")
        if path.suffix.lower() not in ENDINGS:
            raise UserError(f"{path}: only .wav and .flac are written; name it {path.stem}.wav")
        return {(sources[0], targets[0]): path}
    if out is None or (out.suffix.lower() in ENDINGS and not _is_folder(out)):
        raise UserError("a folder of sounds, or several voices, need a folder: give --out DIR")
    return {(source, target): out / target / f"{source.name}.wav" for source in sources for target in targets}


def _is_folder(out: Path | None) -> bool:
    return out is not None and out.is_dir()


if __name__ == "__main__":
    raise SystemExit(main())
