"""`python -m speechvq.decode`: synthesize speech from codes, in the voice of any speaker."""

import argparse
import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import speechvq
from speechvq.audio.waveform import WRITABLE_SUFFIXES, write_waveform
from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.cli.tally import tallied
from speechvq.data.codes_directory import CodesDirectory, open_codes_of_model
from speechvq.errors import UserError, printable
from speechvq.io.folder_lock import folder_lock
from speechvq.io.journal import Journal, read_state
from speechvq.io.names import check_case, check_length, split_names
from speechvq.runtime.progress import progress
from speechvq.runtime.signals import deferred_stop

STREAMS, MAX_SECONDS = 16, 600.0  # in a batch: utterances, and their total duration; bounds the memory


class Job(NamedTuple):
    """An utterance to synthesize."""

    codes: np.ndarray  # (N,)
    speaker: str
    path: Path
    settings: str  # digest of what the result depends on besides the model


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("decode", __doc__)
    parser.add_argument(
        "--codes",
        type=Path,
        required=True,
        help="codes directory of any format of encode, or a .npy, .parquet or .txt file",
    )
    parser.add_argument(
        "--speaker",
        required=True,
        help="name of a speaker, a file made by enroll, or several separated by commas",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder of SPEAKER/UTT.wav, in which unchanged results are kept; or a .wav file for one result",
    )
    flags.add_model(parser)
    flags.add_limit(parser, of="utterances")
    flags.add_seed(parser, "sampling")
    flags.add_harmonic_boost(parser)
    flags.add_device(parser)
    wavenet = flags.wavenet_group(parser)
    flags.add_temperature(wavenet)
    flags.add_top_p(wavenet)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, 2 for a user's mistake, 130 after Ctrl-C (the same command continues in a folder)."""
    return run(build_parser(), _work, argv, resumes=True)


def _work(arguments: argparse.Namespace) -> None:
    model = speechvq.load(arguments.model, arguments.device)
    codes = open_codes_of_model(
        arguments.codes,
        num_codes=model.config.quantizer.num_codes,
        frame_rate_hz=model.config.frame_rate,
        codebook=model.fingerprint(),
    )
    speakers = _speakers(model, arguments.speaker)
    names = _evenly(sorted(codes.files), arguments.limit)
    out = arguments.out
    if out.suffix.lower() in WRITABLE_SUFFIXES and not out.is_dir():
        if len(names) * len(speakers) != 1:
            raise UserError(f"{out}: several results are written to a folder; give --out DIR")
        job = Job(codes.read(names[0]), speakers[0], out, "")
        write_waveform(out, _decode(model, [job], _sampling(arguments))[0])
        print(printable(out))
        return
    places = {
        (name, speaker): out / speaker / f"{codes.names[name]}.wav" for name in names for speaker in speakers
    }
    for path in places.values():
        check_length(path)
    with folder_lock(out, "decode"):
        check_case(places.values(), out)
        _decode_all(model, codes, places, arguments)


def _decode_all(
    model: "speechvq.SpeechVQ",
    codes: CodesDirectory,
    places: dict[tuple[str, str], Path],
    arguments: argparse.Namespace,
) -> None:
    """Make the results that the journal of the folder lacks; prints each path."""
    sampling = _sampling(arguments)
    journal = Journal(arguments.out, {"model": model.digest()} | sampling)
    finished = journal.read()
    with tallied() as tally:

        def missing() -> Iterator[Job]:
            for (name, speaker), path in progress(
                places.items(), total=len(places), label="decode", unit="utterances"
            ):
                try:
                    own = codes.read(name)
                except UserError as error:
                    tally.failures.append(str(error))
                    continue
                settings = model.speaker_digest(speaker) + hashlib.sha256(own.tobytes()).hexdigest()[:16]
                if finished.find(str(path.relative_to(arguments.out)), [], settings=settings):
                    tally.skipped += 1
                else:
                    yield Job(own, speaker, path, settings)

        for batch in _batches(missing(), model.config.frame_rate):
            for job, wave in zip(batch, _decode(model, batch, sampling)):
                name = str(job.path.relative_to(arguments.out))
                with deferred_stop():  # a result is in the journal, or is made again
                    write_waveform(job.path, wave)
                    journal.add(name, read_state([]), [job.path], settings=job.settings)
                print(printable(job.path), flush=True)
                tally.done += 1


def _speakers(model: "speechvq.SpeechVQ", text: str) -> list[str]:
    """Names of the speakers; voice files are added to the model.

    Raises:
        UserError: no name, no such speaker or file.
    """
    from speechvq.speech.speakers.voice_file import add_voice_files
    from speechvq.speech.speakers.voice_name import speaker_names, voice_path

    @cache
    def is_known(name: str) -> bool:
        path = voice_path(name, ())
        return name in model.speakers or (path is not None and path.is_file())

    requested = split_names(text, is_known)
    if not requested:
        raise UserError(f"--speaker '{text}': holds no name")
    add_voice_files(model, requested)
    names = list(dict.fromkeys(speaker_names(requested)))
    for name in names:
        model.speaker_index(name)
    return names


def _evenly(names: list[str], limit: int) -> list[str]:
    """At most `limit` names, evenly spaced; 0 for all."""
    if not limit or limit >= len(names):
        return names
    return [names[i] for i in np.linspace(0, len(names) - 1, limit).astype(int)]


def _sampling(arguments: argparse.Namespace) -> dict[str, Any]:
    """Options of `SpeechVQ.decode`."""
    return {name: getattr(arguments, name) for name in ("seed", "temperature", "top_p", "harmonic_boost")}


def _batches(jobs: Iterator[Job], frame_rate: float) -> Iterator[list[Job]]:
    """Batches of jobs that are synthesized side by side, within the limits of memory."""
    batch: list[Job] = []
    for job in jobs:
        longest = max(len(each.codes) for each in [*batch, job]) / frame_rate
        if batch and (len(batch) == STREAMS or longest * (len(batch) + 1) > MAX_SECONDS):
            yield batch
            batch = []
        batch.append(job)
    if batch:
        yield batch


def _decode(model: "speechvq.SpeechVQ", batch: list[Job], sampling: dict[str, Any]) -> list[np.ndarray]:
    """Waveforms (T,) of a batch."""
    return model.decode([job.codes for job in batch], [job.speaker for job in batch], **sampling)


if __name__ == "__main__":
    raise SystemExit(main())
