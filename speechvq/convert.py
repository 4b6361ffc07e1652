"""`python -m speechvq.convert`: the same sentence in another voice."""

import argparse
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import speechvq
from speechvq.audio.waveform import SAMPLE_RATE, audio_seconds, write_waveform
from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.sources import Source, find_sources, read_sources
from speechvq.errors import UserError
from speechvq.runtime.logging import logger
from speechvq.runtime.progress import counter

STREAMS, SECONDS = 64, 1800.0  # spoken side by side, at most: sounds, and seconds of them; bounds the memory
ENDINGS = (".wav", ".flac")  # that can be written
OWN = "own"  # as a target: each sound in the voice of its own speaker, to hear what the codes alone lose
SAMPLING = ("seed", "temperature", "top_p", "harmonic_boost", "engine", "precision")
VOICE = ".safetensors"  # ending of a voice that was enrolled
Place = tuple[Source, str]  # a sound and its target
Job = tuple[Source, np.ndarray, str]  # with its samples


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.convert", description=__doc__)
    flags.add_src(parser, required=False)
    parser.add_argument(
        "--target-speaker",
        help="name of a speaker, a file made by enroll, or several separated by commas; 'own' keeps each "
        "recording's speaker",
    )
    parser.add_argument("--out", type=Path, help="a .wav file for one recording, else a folder")
    flags.add_model(parser)
    parser.add_argument("--list-speakers", action="store_true", help="print the model's speakers and exit")
    flags.add_split(parser)
    flags.add_limit(parser)
    flags.add_seed(parser, "sampling")
    flags.add_temperature(parser)
    flags.add_top_p(parser)
    flags.add_number(
        parser,
        "--harmonic-boost",
        float,
        0,
        1,
        default=0.9,
        help="fraction of the noise energy in voiced speech that is moved to the harmonics "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--precision",
        choices=("fp32", "bf16"),
        default="fp32",
        help="precision of the weights; bf16 is faster and nearly the same (default: %(default)s)",
    )
    parser.add_argument(
        "--engine",
        choices=("auto", "numba", "torch"),
        default="auto",
        help="sampling engine; torch is slow and needs no compiler (default: %(default)s)",
    )
    parser.add_argument(
        "--chunked",
        action="store_true",
        help="sample each recording as overlapping chunks in parallel: faster, an approximation",
    )
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
    asked = [name.strip() for name in arguments.target_speaker.split(",")]
    targets = [Path(name).stem if name.endswith(VOICE) else name for name in asked]
    voices = {source: _voices(source, targets) for source in sources}
    places = _places(arguments, voices)
    model = speechvq.load(arguments.model)
    from speechvq.speech.speakers.voice_file import add_voice_files

    add_voice_files(model, asked)
    for target in dict.fromkeys(target for each in voices.values() for target in each):
        model.speaker_index(target)
    started, seconds = time.monotonic(), 0.0
    sounds = read_sources(_longest_first(sources))
    for batch in _batches((source, wave, target) for source, wave in sounds for target in voices[source]):
        for (source, wave, target), spoken in zip(batch, _convert(model, batch, arguments)):
            write_waveform(places[source, target], spoken)
            print(places[source, target])
            seconds += len(wave) / SAMPLE_RATE
    spent = time.monotonic() - started
    logger.info("%.1f s of audio in %.1f s, %.2f x real time", seconds, spent, seconds / spent)


def _voices(source: Source, targets: list[str]) -> list[str]:
    """The voices that a sound is wanted in.

    Raises:
        UserError: its own is wanted, and nobody says whose it is.
    """
    if OWN in targets and not source.speaker:
        raise UserError(
            f"{source.path}: whose voice is it? --target-speaker {OWN} needs --src MANIFEST, which tells"
        )
    return list(dict.fromkeys(source.speaker if target == OWN else target for target in targets))


def _longest_first(sources: list[Source]) -> list[Source]:
    """Sounds of like length side by side; the batch that takes most memory and time comes first."""
    return sorted(sources, key=lambda source: -audio_seconds(source.path))


def _batches(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    """As many jobs at a time as are spoken side by side."""
    batch: list[Job] = []
    for job in jobs:
        longest = max(len(wave) for _, wave, _ in [*batch, job]) / SAMPLE_RATE
        if batch and (len(batch) == STREAMS or longest * (len(batch) + 1) > SECONDS):
            yield batch
            batch = []
        batch.append(job)
    if batch:
        yield batch


def _check(arguments: argparse.Namespace) -> None:
    """Mistakes that need no file to be seen."""
    if not arguments.src or not arguments.target_speaker:
        raise UserError("--src and --target-speaker are needed (--list-speakers shows the voices)")
    if arguments.engine == "torch" and arguments.precision != "fp32":
        raise UserError(
            f"--precision {arguments.precision} is for the compiled engine; leave out --engine torch"
        )


def _convert(model: "speechvq.SpeechVQ", batch: list[Job], arguments: argparse.Namespace) -> list[np.ndarray]:
    """Sounds as long and as loud as their sources, spoken side by side."""
    waves, targets = [wave for _, wave, _ in batch], [target for _, _, target in batch]
    options = {name: getattr(arguments, name) for name in SAMPLING}
    if arguments.chunked:
        return [_convert_chunked(model, *job, options) for job in batch]
    lengths = np.array([len(wave) for wave in waves]) / SAMPLE_RATE
    with counter(round(float(lengths.sum()), 1), label=f"{len(batch)} sounds", unit="s of sound") as count:

        def show(frames: int) -> None:
            count(round(float(np.minimum(lengths, frames / model.config.frame_rate).sum()), 1))

        return model.convert(waves, targets, on_frame=show, **options)


def _convert_chunked(
    model: "speechvq.SpeechVQ", source: Source, wave: np.ndarray, target: str, options: dict[str, Any]
) -> np.ndarray:
    """One sound, cut into streams; some dozens of them grow at the same time."""
    from speechvq.speech.model import match_level

    with counter(100, label=source.name, unit="%") as count:
        joined = model.convert_chunked(
            wave, target, on_chunks=lambda share: count(round(100 * share)), **options
        )
    if len(joined.errors):
        worst = 100 * float(joined.errors.max())
        logger.info(
            "%s: %d joins, they differ by %.1f %% of its RMS at most", source.name, len(joined.errors), worst
        )
    return match_level(joined.wave[: len(wave)], wave)


def _places(arguments: argparse.Namespace, voices: dict[Source, list[str]]) -> dict[Place, Path]:
    """Where everything goes. A sound file: --out, or SOURCE_TARGET.wav here. Several: OUT/TARGET/NAME.wav.

    Raises:
        UserError: --out is missing, or does not fit what is to be written.
    """
    out: Path | None = arguments.out
    wanted = [(source, target) for source, targets in voices.items() for target in targets]
    if [source.path for source, _ in wanted] == [arguments.src] and not _is_folder(out):
        source, target = wanted[0]
        path = out or Path(f"{source.name}_{target}.wav")
        if path.suffix.lower() not in ENDINGS:
            raise UserError(f"{path}: only .wav and .flac are written; name it {path.stem}.wav")
        return {(source, target): path}
    if out is None or (out.suffix.lower() in ENDINGS and not _is_folder(out)):
        raise UserError("a folder of sounds, or several voices, need a folder: give --out DIR")
    return {(source, target): out / target / f"{source.name}.wav" for source, target in wanted}


def _is_folder(out: Path | None) -> bool:
    return out is not None and out.is_dir()


if __name__ == "__main__":
    raise SystemExit(main())
