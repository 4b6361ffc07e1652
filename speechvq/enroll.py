"""`python -m speechvq.enroll`: your own voice for a model that has never heard it, from half a minute of speech."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import speechvq
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.sources import find_sources, read_sources
from speechvq.data.manifest import is_file_name
from speechvq.errors import UserError
from speechvq.runtime.logging import logger
from speechvq.runtime.progress import counter

LEAST = 5.0  # seconds of speech


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.enroll", description=__doc__)
    parser.add_argument(
        "--name", required=True, help="name of the new speaker, for convert --target-speaker NAME"
    )
    parser.add_argument(
        "--audio", type=Path, required=True, help="audio file or folder of audio files of one person"
    )
    parser.add_argument(
        "--minutes", type=float, default=1.0, help="minutes of speech to use, at most (default: %(default)s)"
    )
    flags.add_model(parser)
    parser.add_argument(
        "--unfreeze",
        choices=("decoder",),
        help="fine-tune the decoder too; --out is then a model of its own (default: NAME), for convert "
        "--model NAME",
    )
    parser.add_argument("--out", type=Path, help="voice file (default: NAME.safetensors)")
    parser.add_argument(
        "--steps", type=int, default=300, help="updates of the speaker embedding (default: %(default)s)"
    )
    flags.add_seed(parser, "the crops")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, 2 for a user's mistake, 130 after Ctrl-C."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    if not is_file_name(arguments.name):
        raise UserError(f"--name {arguments.name}: letters, digits, '-', '_' and '.' only: it names a file")
    if not 0 < arguments.minutes <= 60 or not 1 <= arguments.steps <= 100_000:
        raise UserError("--minutes lies in (0, 60], and --steps from 1 to 100000")
    from speechvq.speech.speakers.enrollment import enroll
    from speechvq.speech.speakers.enrollment_audio import prepare_speech
    from speechvq.speech.speakers.voice_file import ENDING, add_voice, save_voice

    heard: list[np.ndarray] = []
    for _, wave in read_sources(find_sources(arguments.audio)):
        heard.append(wave)
        if sum(map(len, heard)) > 60 * arguments.minutes * SAMPLE_RATE:
            break
    try:
        speech = prepare_speech(heard, longest=60 * arguments.minutes)
    except UserError as error:
        raise UserError(f"{arguments.audio}: {error}") from None
    if speech.seconds < LEAST:
        raise UserError(f"{arguments.audio}: {speech.seconds:.1f} s of speech; record at least {LEAST:g} s")
    for warning in speech.warnings:
        logger.warning("warning: %s: %s", arguments.audio, warning)
    model = speechvq.load(arguments.model)
    with counter(arguments.steps, label=arguments.name, unit="steps") as count:
        tune = arguments.unfreeze is not None
        found = enroll(
            model, speech.waves, steps=arguments.steps, seed=arguments.seed, tune=tune, on_step=count
        )
    out = arguments.out or Path(arguments.name + ("" if tune else ENDING))
    if tune:
        add_voice(model, arguments.name, found.voice)
        model.save_pretrained(out, half=True)
    else:
        save_voice(out, found.voice, model)
    bits = 1 / np.log(2)
    print(f"{speech.seconds:.1f} s of speech, mean pitch {found.voice.f0:.0f} Hz")
    print(
        f"held-out fifth: {found.before * bits:.3f} bits a sample as {found.nearest}, the nearest voice; "
        f"{found.after * bits:.3f} as {arguments.name}"
    )
    print(out)


if __name__ == "__main__":
    raise SystemExit(main())
