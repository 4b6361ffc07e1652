"""`python -m speechvq.generate`: sample codes from a prior, or continue a recording, and decode."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import speechvq
from speechvq.audio.waveform import SAMPLE_RATE, read_waveform, write_waveform
from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.cli.sources import check_not_overwritten
from speechvq.data.codes_directory import CODEBOOK, FRAME_RATE, META, NUM_CODES, write_codes
from speechvq.data.manifest import FILE_NAME, Utterance, write_manifest
from speechvq.errors import UserError
from speechvq.io.atomic import write_json
from speechvq.plots.generation import plot_generation
from speechvq.runtime.progress import counter

if TYPE_CHECKING:
    from speechvq.priors.sequence.code_spec import CodeSpec
    from speechvq.speech.generation import Prompt

MAX_SECONDS = 600  # of one sample
STREAMS = 32  # samples decoded side by side
PLOTTED = 4  # samples in the figure
CODES, FIGURE, SPLIT = "codes", "generated.png", "generated"


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("generate", __doc__)
    parser.add_argument(
        "--model", type=Path, required=True, help="speech model that decodes: model or run directory"
    )
    parser.add_argument("--prior", type=Path, required=True, help="run of a prior over the model's codes")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for audio, codes, manifest and figure"
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
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, 2 for a user's mistake, 130 after Ctrl-C."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    if not 0 < arguments.seconds <= MAX_SECONDS:
        raise UserError(f"--seconds {arguments.seconds:g}: give more than 0, and at most {MAX_SECONDS}")
    wave = read_waveform(arguments.prompt) if arguments.prompt else np.zeros(0, np.float32)
    from speechvq.priors.sequence.model_directory import load_prior
    from speechvq.speech import generation

    model, prior = speechvq.load(arguments.model), load_prior(arguments.prior)
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
    frames = max(round(arguments.seconds * prior.code_spec.frame_rate_hz), 1)
    with counter(frames, label=f"{len(speakers)} code strings", unit="codes") as count:
        codes = generation.continue_prompt(
            prior,
            prompt,
            speakers,
            frames,
            seed=arguments.seed,
            temperature=arguments.temperature,
            top_p=arguments.top_p,
            on_step=count,
        )
    waves = _decode(model, codes, speakers, prompt, arguments)
    _write(arguments.out, names, speakers, codes, waves, prior.code_spec)
    plot_generation(
        arguments.out / FIGURE,
        {name: (wave, each) for name, wave, each in list(zip(names, waves, codes))[:PLOTTED]},
        frame_rate=model.config.frame_rate,
        num_codes=model.config.quantizer.num_codes,
        prompt_seconds=len(prompt.codes) / model.config.frame_rate,
    )
    print(arguments.out / FIGURE)


def _decode(
    model: "speechvq.SpeechVQ",
    codes: Sequence[np.ndarray],
    speakers: Sequence[str],
    prompt: "Prompt",
    arguments: argparse.Namespace,
) -> list[np.ndarray]:
    """The waveform of every sample, (T,) each; several are decoded side by side."""
    from speechvq.speech.generation import continued_f0

    rate, waves = model.config.frame_rate, list[np.ndarray]()
    for first in range(0, len(codes), STREAMS):
        some, names = codes[first : first + STREAMS], speakers[first : first + STREAMS]
        seconds = round(len(codes[0]) / rate, 2)
        with counter(seconds, label=f"{len(some)} samples", unit="s of audio") as count:
            waves += model.decode(
                some,
                names,
                f0=[continued_f0(model, each, name, prompt) for each, name in zip(some, names)],
                seed=arguments.seed,
                temperature=arguments.sound_temperature,
                on_frame=lambda done: count(round(done / rate, 2)),
            )
    return waves


def _write(
    out: Path,
    names: Sequence[str],
    speakers: Sequence[str],
    codes: Sequence[np.ndarray],
    waves: Sequence[np.ndarray],
    spec: "CodeSpec",
) -> None:
    """Write audio files, a codes directory like that of `encode`, and a manifest of both."""
    meta = {FRAME_RATE: spec.frame_rate_hz, NUM_CODES: spec.num_codes, CODEBOOK: spec.codebook}
    write_json(out / CODES / META, meta)
    utterances = []
    for name, speaker, each, wave in zip(names, speakers, codes, waves):
        write_codes(out / CODES / f"{name}.npy", each)
        path = _audio_path(out, name)
        write_waveform(path, wave)
        utterances.append(Utterance(name, speaker, SPLIT, len(wave) / SAMPLE_RATE, path))
        print(path)
    write_manifest(out / FILE_NAME, utterances)


def _audio_path(out: Path, name: str) -> Path:
    return out / f"{name}.wav"


if __name__ == "__main__":
    raise SystemExit(main())
