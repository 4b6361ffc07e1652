"""`python -m speechvq.generate`: sample codes from a prior, or continue a recording, and decode."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import speechvq
from speechvq.audio.waveform import audio_seconds, read_waveform, write_waveform
from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.cli.sources import check_not_overwritten
from speechvq.cli.tally import tallied
from speechvq.data.codes_directory import CODEBOOK, FRAME_RATE, META, NUM_CODES, read_codes
from speechvq.data.manifest import FILE_NAME, Utterance, write_manifest
from speechvq.data.unit_formats.npy import write_npy
from speechvq.errors import UserError, printable
from speechvq.io.atomic import write_json
from speechvq.io.folder_lock import folder_lock
from speechvq.io.journal import Journal, read_state
from speechvq.plots.generation import plot_generation
from speechvq.runtime.device import find_device
from speechvq.runtime.progress import counter
from speechvq.runtime.signals import deferred_stop
from speechvq.speech.model_directory import find_prior

if TYPE_CHECKING:
    from speechvq.priors.sequence.prior import SequencePrior
    from speechvq.speech.generation import Prompt

MAX_SECONDS = 600  # of one sample
STREAMS = 32  # samples decoded side by side
PLOTTED = 4  # samples in the figure
CODES, FIGURE, SPLIT = "codes", "generated.png", "generated"
# Flags that determine a sample, besides the model, the prior and the prompt.
SETTINGS = ("seed", "seconds", "temperature", "top_p", "sound_temperature")


class Sample(NamedTuple):
    """One of the samples."""

    name: str
    speaker: str


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("generate", __doc__)
    flags.add_model(parser)
    parser.add_argument(
        "--prior",
        type=Path,
        help="prior over the model's codes: run or hub:OWNER/NAME (default: that of the model, in its folder "
        "`prior`)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for audio, codes, manifest and figure; unchanged samples are kept",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=4.0,
        help="duration of each sample, without the prompt",
    )
    flags.add_number(parser, "--count", int, 1, 10_000, default=8, help="number of samples")
    parser.add_argument(
        "--speaker",
        default="",
        help="name of a speaker, or several separated by commas (default: drawn at random)",
    )
    parser.add_argument("--prompt", type=Path, help="recording that every sample continues")
    flags.add_seed(parser, "sampling")
    flags.add_temperature(parser, of="the codes")
    flags.add_top_p(parser)
    flags.add_temperature(parser, "--sound-temperature", of="the waveform")
    flags.add_device(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, 2 for a user's mistake, 130 after Ctrl-C (the same command continues)."""
    return run(build_parser(), _work, argv, resumes=True)


def _work(arguments: argparse.Namespace) -> None:
    if not 0 < arguments.seconds <= MAX_SECONDS:
        raise UserError(f"--seconds {arguments.seconds:g}: give more than 0, and at most {MAX_SECONDS}")
    arguments.prior = arguments.prior or find_prior(arguments.model)
    if arguments.prior is None:
        raise UserError(
            f"--prior is missing, and {arguments.model} has none. {_how_to_make_a_prior(arguments.model)}"
        )
    wave = read_waveform(arguments.prompt) if arguments.prompt else np.zeros(0, np.float32)
    from speechvq.priors.sequence.model_directory import load_prior
    from speechvq.speech import generation

    device = find_device(arguments.device)
    model, prior = speechvq.load(arguments.model, device), load_prior(arguments.prior).to(device)
    if difference := generation.find_difference(model, prior):
        raise UserError(
            f"{arguments.prior} is no prior of {arguments.model}: the model has {difference}; encode the "
            "corpus with this model and train a prior on that"
        )
    speakers = generation.choose_speakers(arguments.speaker, arguments.count, model, prior, arguments.seed)
    names = [f"{speaker}_{i}" for i, speaker in enumerate(speakers)]
    if arguments.prompt:
        check_not_overwritten([arguments.prompt], [_audio_path(arguments.out, name) for name in names])
    prompt = generation.encode_prompt(model, wave)
    samples = [Sample(*each) for each in zip(names, speakers)]
    with folder_lock(arguments.out, "generate"):
        _make_missing(model, prior, prompt, samples, arguments)
        _write_summary(model, prompt, samples, arguments.out)


def _make_missing(
    model: "speechvq.SpeechVQ",
    prior: "SequencePrior",
    prompt: "Prompt",
    samples: Sequence[Sample],
    arguments: argparse.Namespace,
) -> None:
    """Sample and decode what no earlier call has finished; each group is written when it is decoded."""
    from speechvq.speech import generation

    out, spec = arguments.out, prior.code_spec
    settings = {"model": model.digest()} | {name: getattr(arguments, name) for name in SETTINGS}
    journal = Journal(out, settings)
    inputs, finished = _inputs(arguments), journal.read()
    missing = [i for i, each in enumerate(samples) if not finished.find(each.name, inputs)]
    with tallied(skipped=len(samples) - len(missing)) as tally:
        if not missing:
            return
        state, frames = read_state(inputs), max(round(arguments.seconds * spec.frame_rate_hz), 1)
        with counter(frames, label=f"{len(samples)} code strings", unit="codes") as count:
            codes = generation.continue_prompt(
                prior,
                prompt,
                [each.speaker for each in samples],
                frames,
                seed=arguments.seed,
                temperature=arguments.temperature,
                top_p=arguments.top_p,
                on_step=count,
            )
        meta = {FRAME_RATE: spec.frame_rate_hz, NUM_CODES: spec.num_codes, CODEBOOK: spec.codebook}
        write_json(out / CODES / META, meta)
        for first in range(0, len(missing), STREAMS):
            group = missing[first : first + STREAMS]
            some = [codes[i] for i in group]
            waves = _decode(model, some, [samples[i].speaker for i in group], prompt, arguments)
            for i, each, wave in zip(group, some, waves):
                paths = [out / CODES / f"{samples[i].name}.npy", _audio_path(out, samples[i].name)]
                with deferred_stop():  # a result is in the journal, or is made again
                    write_npy(paths[0], each)
                    write_waveform(paths[1], wave)
                    journal.add(samples[i].name, state, paths)
                print(printable(paths[1]), flush=True)
                tally.done += 1


def _inputs(arguments: argparse.Namespace) -> list[Path]:
    """The files on which the samples depend, besides the model."""
    from speechvq.io.model_directory import CONFIG, WEIGHTS, find_model_directory

    folder = find_model_directory(arguments.prior)
    return [folder / CONFIG, folder / WEIGHTS, *([arguments.prompt] if arguments.prompt else [])]


def prior_commands(model: Path) -> list[str]:
    """The commands that train a small prior in a minute, for a folder data/mine that `prepare` made."""
    return [
        f"python -m speechvq.encode --model {model} --src data/mine --out exp/codes",
        "python -m speechvq.train --config mini_prior --out exp/prior --set data.codes=exp/codes "
        "--set data.manifest=data/mine",
    ]


def _how_to_make_a_prior(model: Path) -> str:
    return (
        "To make a small one in a minute from a folder that `prepare` made, here data/mine: "
        f"{' && '.join(prior_commands(model))}; then give --prior exp/prior"
    )


def _decode(
    model: "speechvq.SpeechVQ",
    codes: Sequence[np.ndarray],
    speakers: Sequence[str],
    prompt: "Prompt",
    arguments: argparse.Namespace,
) -> list[np.ndarray]:
    """The waveform of every sample, (T,) each; they are decoded side by side."""
    from speechvq.speech.generation import continued_f0

    rate = model.config.frame_rate
    seconds = round(len(codes[0]) / rate, 2)
    with counter(seconds, label=f"{len(codes)} samples", unit="s of audio") as count:
        return model.decode(
            codes,
            speakers,
            f0=[continued_f0(model, each, name, prompt) for each, name in zip(codes, speakers)],
            seed=arguments.seed,
            temperature=arguments.sound_temperature,
            on_frame=lambda done: count(round(done / rate, 2)),
        )


def _write_summary(
    model: "speechvq.SpeechVQ", prompt: "Prompt", samples: Sequence[Sample], out: Path
) -> None:
    """Write the manifest, and a figure of the first samples."""
    rate, num_codes = model.config.frame_rate, model.config.quantizer.num_codes
    waves = {each.name: read_waveform(_audio_path(out, each.name)) for each in samples[:PLOTTED]}
    codes = {name: read_codes(out / CODES / f"{name}.npy", num_codes) for name in waves}
    utterances = [
        Utterance(name, speaker, SPLIT, audio_seconds(_audio_path(out, name)), _audio_path(out, name))
        for name, speaker in samples
    ]
    write_manifest(out / FILE_NAME, utterances)
    plot_generation(
        out / FIGURE,
        {name: (waves[name], codes[name]) for name in waves},
        frame_rate=rate,
        num_codes=num_codes,
        prompt_seconds=len(prompt.codes) / rate,
    )
    print(out / FIGURE)


def _audio_path(out: Path, name: str) -> Path:
    return out / f"{name}.wav"


if __name__ == "__main__":
    raise SystemExit(main())
