"""`python -m speechvq.convert`: convert recordings to the voice of another speaker."""

import argparse
import dataclasses
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import speechvq
from speechvq.audio.waveform import SAMPLE_RATE, WRITABLE_SUFFIXES, audio_seconds, write_waveform
from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.cli.sources import Source, check_not_overwritten, find_sources, read_tracked_sources
from speechvq.cli.tables import speed
from speechvq.cli.tally import tallied
from speechvq.errors import UserError, printable
from speechvq.io.folder_lock import folder_lock
from speechvq.io.journal import Inputs, Journal
from speechvq.io.names import check_case, existing, split_names
from speechvq.runtime.device import AUTO
from speechvq.runtime.logging import logger
from speechvq.runtime.progress import counter
from speechvq.runtime.signals import deferred_stop
from speechvq.speech.speakers.voice_name import OWN, speaker_names, speaker_position, voice_path

# In a batch: conversions, and their total duration; bounds the memory.
MAX_STREAMS, MAX_STREAMS_ON_CPU, MAX_SECONDS = 64, 32, 1800.0
Conversion = tuple[Source, str]  # a recording and its target speaker


class ConversionJob(NamedTuple):
    """A conversion to make."""

    source: Source
    wave: np.ndarray  # (T,)
    inputs: Inputs  # state of the recording's file
    target: str


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("convert", __doc__)
    flags.add_src(parser, required=False)
    parser.add_argument(
        "--target-speaker",
        help="name of a speaker, a file made by enroll, or several separated by commas; NAME is the model's "
        "speaker, or else NAME.safetensors; 'own' keeps each recording's speaker",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="a .wav file for one conversion, else a folder, in which unchanged results are kept (default "
        "for one recording: ./SOURCE_TARGET.wav)",
    )
    flags.add_model(parser)
    parser.add_argument(
        "--list-speakers",
        action="store_true",
        help="print a table of the model's speakers and the enrolled voices in the current folder, and exit",
    )
    parser.add_argument(
        "--names", action="store_true", help="with --list-speakers: the names alone, one per line"
    )
    flags.add_split(parser)
    flags.add_limit(parser)
    flags.add_seed(parser, "sampling")
    flags.add_harmonic_boost(parser)
    parser.add_argument(
        "--engine",
        choices=("auto", "numba", "torch"),
        default="auto",
        help="sampling engine; torch is slow and needs no compiler",
    )
    flags.add_device(parser)
    parser.add_argument(
        "--chunked",
        action="store_true",
        help="sample each recording as overlapping chunks in parallel: faster, an approximation",
    )
    wavenet = flags.wavenet_group(parser)
    flags.add_temperature(wavenet)
    flags.add_top_p(wavenet)
    wavenet.add_argument(
        "--precision",
        choices=("fp32", "bf16"),
        default="fp32",
        help="precision of the weights; bf16 is faster and nearly the same",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, 2 for a user's mistake, 130 after Ctrl-C (the same command continues in a folder)."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    if arguments.list_speakers:
        _list_speakers(arguments.model, names=arguments.names)
        return
    _check(arguments)
    sources = find_sources(arguments.src, split=arguments.split, limit=arguments.limit, out=arguments.out)
    requested = _requested(arguments)
    names = speaker_names(requested)
    targets = {source: _targets(source, names) for source in sources}
    paths = _output_paths(arguments, targets)
    check_not_overwritten((source.path for source in sources), paths.values())
    device = _device(arguments)
    _check_speakers(arguments.model, requested, targets)
    model = speechvq.load(arguments.model, device)
    settings = {"model": model.digest(), "chunked": arguments.chunked} | _sampling(arguments)
    del settings["engine"]  # all engines give the same
    _add_voices(model, requested, targets)
    if arguments.out is None or arguments.out in paths.values():  # a single file, which is always made
        _convert_all(model, targets, paths, arguments, None)
        return
    with folder_lock(arguments.out, "convert"):
        check_case(paths.values(), arguments.out)
        _convert_all(model, targets, paths, arguments, Journal(arguments.out, settings))


def _device(arguments: argparse.Namespace) -> str:
    """The device; "auto" is the processor for what its kernels alone can do.

    Raises:
        UserError: another device was asked for.
    """
    device: str = arguments.device
    if arguments.engine != "numba" and arguments.precision == "fp32":
        return device
    if device not in (AUTO, "cpu"):
        raise UserError(
            f"--device {device}: --engine numba and --precision bf16 are for the processor; leave one out"
        )
    return "cpu"


def _convert_all(
    model: "speechvq.SpeechVQ",
    targets: Mapping[Source, list[str]],
    paths: Mapping[Conversion, Path],
    arguments: argparse.Namespace,
    journal: Journal | None,
) -> None:
    """Make all conversions, or those that the journal of the folder does not have; prints each path."""
    missing = _missing(model, targets, paths, journal)
    total = sum(map(len, targets.values()))
    started, seconds = time.monotonic(), 0.0
    with tallied(total - sum(map(len, missing.values())), is_batch=journal is not None) as tally:
        recordings = read_tracked_sources(_longest_first(list(missing)), tally.failures)
        jobs = (ConversionJob(*each, target) for each in recordings for target in missing[each[0]])
        for batch in _batches(jobs, _max_streams(model)):
            for job, converted in zip(batch, _convert(model, batch, arguments)):
                path = paths[job.source, job.target]
                with deferred_stop():  # a result is in the journal, or is made again
                    write_waveform(path, converted)
                    if journal is not None:
                        name = str(path.relative_to(journal.folder))
                        journal.add(name, job.inputs, [path], settings=model.speaker_digest(job.target))
                print(printable(path), flush=True)
                tally.done += 1
                seconds += len(job.wave) / SAMPLE_RATE
        spent = time.monotonic() - started
        if tally.done:
            logger.info("%.1f s of audio in %.1f s, %s", seconds, spent, speed(seconds / spent))


def _missing(
    model: "speechvq.SpeechVQ",
    targets: Mapping[Source, list[str]],
    paths: Mapping[Conversion, Path],
    journal: Journal | None,
) -> dict[Source, list[str]]:
    """The recordings whose conversions are not finished or have changed, with the targets of these."""
    if journal is None:
        return dict(targets)
    finished, missing = journal.read(), dict[Source, list[str]]()
    for (source, target), path in paths.items():
        name, settings = str(path.relative_to(journal.folder)), model.speaker_digest(target)
        if not finished.find(name, [source.path], settings=settings):
            missing.setdefault(source, []).append(target)
    return missing


def _list_speakers(name: Path, *, names: bool) -> None:
    """Print the model's speakers and the enrolled voices in the current folder: a table, or the names."""
    model = speechvq.load(name)
    from speechvq.cli.speaker_table import speaker_table
    from speechvq.speech.model_directory import find_speech_model
    from speechvq.speech.speakers.speaker_facts import load_speaker_facts
    from speechvq.speech.speakers.voice_file import find_voices

    voices = find_voices(Path(), model)
    if names:
        print("\n".join(map(printable, [*model.speakers, *voices])))
    else:
        print(speaker_table(model, load_speaker_facts(find_speech_model(name)), voices))


def _requested(arguments: argparse.Namespace) -> list[str]:
    """The targets as they were given: names of speakers, and voice files."""
    from speechvq.speech.model_directory import read_speakers

    @cache
    def speakers() -> list[str]:
        try:
            return read_speakers(arguments.model)
        except UserError:
            return []  # reported when the model is loaded, after the checks that need none

    def is_known(name: str) -> bool:
        path = voice_path(name, ())
        return name in speakers() or (path is not None and path.is_file())

    if names := split_names(arguments.target_speaker, is_known):
        return names
    raise UserError(f"--target-speaker '{arguments.target_speaker}': holds no name")


def _check(arguments: argparse.Namespace) -> None:
    """Refuse mistakes that show before any file is read."""
    if not arguments.src or not arguments.target_speaker:
        raise UserError("--src and --target-speaker are needed (--list-speakers shows the speakers)")
    if arguments.engine == "torch" and arguments.precision != "fp32":
        raise UserError(
            f"--precision {arguments.precision} is for the compiled engine; leave out --engine torch"
        )


def _check_speakers(name: Path, requested: list[str], targets: Mapping[Source, list[str]]) -> None:
    """Refuse unknown speakers before PyTorch is imported, which takes seconds.

    Raises:
        UserError: no such model, voice file or speaker.
    """
    from speechvq.speech.model_directory import read_speakers

    speakers = read_speakers(name)
    voices = speaker_names(each for each in requested if each != OWN and voice_path(each, speakers))
    for target in dict.fromkeys(target for each in targets.values() for target in each):
        if target not in voices:
            speaker_position(target, speakers)


def _add_voices(
    model: "speechvq.SpeechVQ", requested: list[str], targets: Mapping[Source, list[str]]
) -> None:
    """Add the requested voice files to the model.

    Raises:
        UserError: no such voice file or speaker.
    """
    from speechvq.speech.speakers.voice_file import add_voice_files

    add_voice_files(model, [target for target in requested if target != OWN])
    for target in dict.fromkeys(target for each in targets.values() for target in each):
        model.speaker_index(target)


def _targets(source: Source, names: list[str]) -> list[str]:
    """Target speakers of a recording, each once.

    Raises:
        UserError: its own speaker is requested and unknown.
    """
    if OWN in names and not source.speaker:
        raise UserError(f"{source.path}: its speaker is unknown; --target-speaker {OWN} needs --src MANIFEST")
    return list(dict.fromkeys(source.speaker if name == OWN else name for name in names))


def _longest_first(sources: list[Source]) -> list[Source]:
    """Sources by descending duration: a batch has similar durations, and the largest batch comes first."""
    return sorted(sources, key=lambda source: -audio_seconds(source.path))


def _max_streams(model: "speechvq.SpeechVQ") -> int:
    """Conversions in a batch. A batch is written when it ends, so few are lost if the command is stopped."""
    return MAX_STREAMS if model.speaker_f0.is_cuda else MAX_STREAMS_ON_CPU


def _batches(jobs: Iterable[ConversionJob], max_streams: int) -> Iterator[list[ConversionJob]]:
    """Batches of jobs that are sampled side by side, within the limits of memory."""
    batch: list[ConversionJob] = []
    for job in jobs:
        longest = max(len(each.wave) for each in [*batch, job]) / SAMPLE_RATE
        if batch and (len(batch) == max_streams or longest * (len(batch) + 1) > MAX_SECONDS):
            yield batch
            batch = []
        batch.append(job)
    if batch:
        yield batch


def _sampling(arguments: argparse.Namespace) -> dict[str, Any]:
    """The fields of `SamplingOptions`."""
    from speechvq.speech.sampling.synthesize import SamplingOptions

    return {field.name: getattr(arguments, field.name) for field in dataclasses.fields(SamplingOptions)}


def _convert(
    model: "speechvq.SpeechVQ", batch: list[ConversionJob], arguments: argparse.Namespace
) -> list[np.ndarray]:
    """Converted waveforms of a batch, (T,) each."""
    waves, targets = [job.wave for job in batch], [job.target for job in batch]
    options = _sampling(arguments)
    if arguments.chunked:
        return [_convert_chunked(model, job.source, job.wave, job.target, options) for job in batch]
    lengths = np.array([len(wave) for wave in waves]) / SAMPLE_RATE
    total = round(float(lengths.sum()), 1)
    label = batch[0].source.name if len(batch) == 1 else f"{len(batch)} recordings"
    with counter(total, label=label, unit="s of audio") as count:

        def show(frames: int) -> None:
            count(round(float(np.minimum(lengths, frames / model.config.frame_rate).sum()), 1))

        return model.convert(waves, targets, on_frame=show, **options)


def _convert_chunked(
    model: "speechvq.SpeechVQ", source: Source, wave: np.ndarray, target: str, options: dict[str, Any]
) -> np.ndarray:
    """Converted waveform of one recording in chunks; the error of the joins is logged."""
    from speechvq.speech.model import match_level

    with counter(100, label=source.name, unit="%") as count:
        result = model.convert_chunked(
            wave, target, on_chunks=lambda fraction: count(round(100 * fraction)), **options
        )
    if len(result.errors):
        worst = 100 * float(result.errors.max())
        logger.info("%s: %d joins, error at most %.1f %% of the RMS", source.name, len(result.errors), worst)
    return match_level(result.wave[: len(wave)], wave)


def _output_paths(arguments: argparse.Namespace, targets: dict[Source, list[str]]) -> dict[Conversion, Path]:
    """The file of each conversion: ./SOURCE_TARGET.wav of one recording, --out FILE, or OUT/TARGET/NAME.wav.

    Raises:
        UserError: --out is missing, or does not fit the number of files.
    """
    src, out = existing(arguments.src), arguments.out
    conversions = [(source, target) for source, names in targets.items() for target in names]
    if out is None and all(source.path == src for source in targets):
        return {(source, target): Path(f"{source.name}_{target}.wav") for source, target in conversions}
    if out and [source.path for source, _ in conversions] == [src] and not _is_folder(out):
        if out.suffix.lower() not in WRITABLE_SUFFIXES:
            raise UserError(f"{out}: only .wav and .flac are written; name it {out.stem}.wav")
        return {conversions[0]: out}
    if out is None or (out.suffix.lower() in WRITABLE_SUFFIXES and not _is_folder(out)):
        raise UserError("several conversions are written to a folder; give --out DIR")
    return {(source, target): out / target / f"{source.name}.wav" for source, target in conversions}


def _is_folder(out: Path | None) -> bool:
    return out is not None and out.is_dir()


if __name__ == "__main__":
    raise SystemExit(main())
