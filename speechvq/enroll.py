"""`python -m speechvq.enroll`: fit a speaker embedding to half a minute of speech of a new speaker."""

import argparse
import math
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import speechvq
from speechvq.audio.waveform import SAMPLE_RATE, audio_seconds
from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.cli.sources import Source, find_sources, read_sources
from speechvq.errors import UserError, printable
from speechvq.io.folder_lock import folder_lock
from speechvq.io.names import check_length, is_file_name, normalized
from speechvq.runtime.logging import logger
from speechvq.speech.speakers.voice_name import ENDING, OWN

if TYPE_CHECKING:
    from speechvq.speech.speakers.enrollment_audio import EnrollmentAudio

MIN_SECONDS = 5.0  # of speech
FILES_OF_A_PERSON, NAMES_SHOWN = 2, 5  # files that begin alike, or lie in one folder; names in a message


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("enroll", __doc__)
    parser.add_argument(
        "--name", required=True, help="name of the new speaker, for convert --target-speaker NAME"
    )
    parser.add_argument(
        "--audio", type=Path, required=True, help="audio file or folder of one person, 5 s or more"
    )
    parser.add_argument("--minutes", type=float, default=1.0, help="minutes of speech to use, at most")
    flags.add_model(parser)
    parser.add_argument(
        "--unfreeze",
        choices=("decoder",),
        help="fine-tune the decoder too; --out is then a model of its own (default: NAME), for convert "
        "--model NAME",
    )
    parser.add_argument("--out", type=Path, help="voice file (default: NAME.safetensors)")
    parser.add_argument("--steps", type=int, default=300, help="updates of the speaker embedding")
    flags.add_seed(parser, "the crops")
    flags.add_device(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, 2 for a user's mistake, 130 after Ctrl-C."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> int:
    if not is_file_name(arguments.name):
        raise UserError(f"--name {arguments.name}: cannot name a file; use letters, digits, '-', '_' and '.'")
    if not 0 < arguments.minutes <= 60 or not 1 <= arguments.steps <= 100_000:
        raise UserError("--minutes lies in (0, 60], and --steps from 1 to 100000")
    tune = arguments.unfreeze is not None
    out = arguments.out or Path(arguments.name + ("" if tune else ENDING))
    run_directory = out.with_name(f"{out.name}.enrollment")  # a stopped enrollment resumes from it
    check_length(run_directory)
    if out.is_dir() and not tune:
        raise UserError(
            f"{out}: a folder; give the voice file, for example --out {out / arguments.name}{ENDING}"
        )
    sources = find_sources(arguments.audio)
    _check_one_person(arguments.audio, sources)
    _check_length(arguments.audio, sources)
    model = speechvq.load(arguments.model, arguments.device)
    if normalized(arguments.name) in (*model.speakers, OWN):
        raise UserError(
            f"--name {arguments.name}: {arguments.model} has this speaker, whom convert would take; choose "
            "another name"
        )
    speech = _read_speech(arguments.audio, sources, 60 * arguments.minutes)
    with folder_lock(run_directory, "enroll"):  # also finds a folder that is not writable, before the work
        return _enroll(model, speech, out, run_directory, arguments)


def _enroll(
    model: "speechvq.SpeechVQ",
    speech: "EnrollmentAudio",
    out: Path,
    run_directory: Path,
    arguments: argparse.Namespace,
) -> int:
    """Fit the speaker and write the voice file or the tuned model; returns the exit code."""
    from speechvq.speech.model_directory import find_speech_model
    from speechvq.speech.speakers.speaker_facts import SpeakerFacts, load_speaker_facts, save_speaker_facts
    from speechvq.speech.speakers.voice_file import add_voice, save_voice
    from speechvq.training.signals import Interrupted
    from speechvq.training.tasks.enrollment import enroll

    tune = arguments.unfreeze is not None
    try:
        found = enroll(
            model, speech.waves, steps=arguments.steps, seed=arguments.seed, tune=tune, run=run_directory
        )
    except Interrupted as stop:
        logger.info("%s", stop)
        return 128 + stop.signum
    if tune:
        add_voice(model, arguments.name, found.voice)
        model.save_pretrained(out, half=True)
        facts = load_speaker_facts(find_speech_model(arguments.model))
        save_speaker_facts(out, facts | {arguments.name: SpeakerFacts(minutes=round(speech.seconds / 60, 2))})
    else:
        save_voice(out, found.voice, model)
    shutil.rmtree(run_directory, ignore_errors=True)
    print(f"{speech.seconds:.1f} s of speech, mean F0 {found.voice.f0:.0f} Hz")
    # The loss of a WaveNet is a likelihood; that of source and filter alone has no unit.
    unit, scale = ("bits per sample", math.log(2)) if model.decoder.wavenet is not None else ("loss", 1.0)
    before, after = found.before / scale, found.after / scale
    print(
        f"held-out fifth, {unit} (lower is better): {before:.3f} as {found.nearest}, the closest "
        f"known speaker; {after:.3f} as {arguments.name}"
    )
    print(printable(out))
    return 0


def _read_speech(audio: Path, sources: list[Source], max_seconds: float) -> "EnrollmentAudio":
    """The speech in files, prepared for enrollment; problems are logged as warnings.

    Raises:
        UserError: unreadable or unusable recordings, or too little speech.
    """
    from speechvq.speech.speakers.enrollment_audio import prepare_enrollment_audio

    waves: list[np.ndarray] = []
    for _, wave in read_sources(sources):
        waves.append(wave)
        if sum(map(len, waves)) > max_seconds * SAMPLE_RATE:
            break
    try:
        speech = prepare_enrollment_audio(waves, max_seconds)
    except UserError as error:
        raise UserError(f"{audio}: {error}") from None
    if speech.seconds < MIN_SECONDS:
        raise UserError(f"{audio}: {speech.seconds:.1f} s of speech; record at least {MIN_SECONDS:g} s")
    for warning in speech.warnings:
        logger.warning("warning: %s: %s", audio, warning)
    return speech


def _check_length(audio: Path, sources: Sequence[Source]) -> None:
    """Refuse recordings that are too short by their headers, before PyTorch is loaded.

    Files whose headers cannot be read are left to `read_sources`, which says what is wrong with each.

    Raises:
        UserError: with silence and all, they are shorter than the speech that is needed.
    """
    seconds = [audio_seconds(source.path) for source in sources]
    if all(seconds) and sum(seconds) < MIN_SECONDS:
        raise UserError(f"{audio}: {sum(seconds):.1f} s; record at least {MIN_SECONDS:g} s of speech")


def _check_one_person(audio: Path, sources: Sequence[Source]) -> None:
    """Refuse a manifest of several speakers, and warn of a folder that looks like that of several people.

    Each person has a subfolder, or files that begin alike, for example p225_001.wav.

    Raises:
        UserError: the recordings are by several speakers.
    """
    speakers = sorted({source.speaker for source in sources if source.speaker})
    if len(speakers) > 1:
        raise UserError(f"{audio}: recordings of {_some(speakers)}; give those of one person")
    paths = [Path(source.name) for source in sources]
    for what, groups in (
        ("subfolders", Counter(path.parent.as_posix() for path in paths)),
        ("file names begin with", Counter(re.split("[-_ ]", path.name)[0] for path in paths)),
    ):
        names = sorted(name for name, count in groups.items() if count >= FILES_OF_A_PERSON and name != ".")
        if len(names) > 1:
            line = "warning: %s: %s %s; if these are several people, give the recordings of one"
            logger.warning(line, audio, what, _some(names))
            return


def _some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(map(printable, names[:NAMES_SHOWN])) + more


if __name__ == "__main__":
    raise SystemExit(main())
