"""`python -m speechvq.generate`: speech from nothing, or a recording continued: a prior's codes, spoken."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import speechvq
from speechvq.audio.f0 import F0_HOP, f0_contour
from speechvq.audio.waveform import SAMPLE_RATE, read_waveform, write_waveform
from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.data.codes_directory import CODEBOOK, FRAME_RATE, META, NUM_CODES, write_codes
from speechvq.data.manifest import FILE_NAME, Utterance, write_manifest
from speechvq.errors import UserError
from speechvq.io.atomic import write_json
from speechvq.plots.generation import plot_generation
from speechvq.runtime.progress import counter

if TYPE_CHECKING:
    from speechvq.priors.sequence.prior import SequencePrior

LONGEST = 600  # seconds of one sound
STREAMS = 32  # sounds spoken side by side
SHOWN = 4  # in the picture
CODES, PICTURE, SPLIT = "codes", "generated.png", "generated"


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.generate", description=__doc__)
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
        help="duration of each sample, without the prompt (default: %(default)s)",
    )
    flags.add_number(
        parser, "--count", int, 1, 10_000, default=8, help="number of samples (default: %(default)s)"
    )
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


@dataclass(frozen=True)
class Prompt:
    """What is continued."""

    codes: np.ndarray  # (P,), int64
    pitch: np.ndarray  # (F,), Hz, 0 where unvoiced, 10 ms apart


def _work(arguments: argparse.Namespace) -> None:
    _check(arguments)
    wave = read_waveform(arguments.prompt) if arguments.prompt else np.zeros(0, np.float32)
    from speechvq.priors.sequence.model_directory import load_prior

    model, prior = speechvq.load(arguments.model), load_prior(arguments.prior)
    check_pair(model, prior, arguments)
    voices = choose_voices(arguments.speaker, arguments.count, model, prior, arguments.seed)
    prompt = Prompt(model.encode(wave), f0_contour(wave) if len(wave) else wave)
    codes = _draw(prior, prompt, voices, arguments)
    names = [f"{voice}_{i}" for i, voice in enumerate(voices)]
    waves = _speak(model, codes, voices, prompt, arguments)
    _write(arguments.out, names, voices, codes, waves, prior)
    plot_generation(
        arguments.out / PICTURE,
        {name: (wave, each) for name, wave, each in list(zip(names, waves, codes))[:SHOWN]},
        frame_rate=model.config.frame_rate,
        num_codes=model.config.quantizer.num_codes,
        prompt_seconds=len(prompt.codes) / model.config.frame_rate,
    )
    print(arguments.out / PICTURE)


def _check(arguments: argparse.Namespace) -> None:
    """Mistakes that need no file to be seen."""
    if not 0 < arguments.seconds <= LONGEST:
        raise UserError(f"--seconds {arguments.seconds:g}: give more than 0, and at most {LONGEST}")


def check_pair(model: "speechvq.SpeechVQ", prior: "SequencePrior", arguments: argparse.Namespace) -> None:
    """Refuse a prior of another model's codes: by K, rate and the codebook's fingerprint, not by names.

    Raises:
        UserError: they do not belong together.
    """
    config = model.config
    own = type(prior.code_spec)(config.quantizer.num_codes, config.frame_rate, model.fingerprint())
    if difference := own.difference(prior.code_spec):
        raise UserError(
            f"{arguments.prior} is no prior of {arguments.model}: the model has {difference}; encode the "
            "corpus with this model and train a prior on that"
        )


def choose_voices(
    asked: str, count: int, model: "speechvq.SpeechVQ", prior: "SequencePrior", seed: int
) -> list[str]:
    """A voice for each sound: those asked for in turn, or drawn by the seed, different while they last.

    Raises:
        UserError: a voice that the model or the prior does not know.
    """
    known = [name for name in model.speakers if not prior.speakers or name in prior.speakers]
    if asked:
        chosen = [name.strip() for name in asked.split(",")]
        for name in chosen:
            model.speaker_index(name)
            if name not in known:
                raise UserError(
                    f"--speaker {name}: the prior does not know this voice; train it with model.speaker_dim=0"
                )
    elif not known:
        raise UserError("the prior knows none of the model's voices; train it on this model's corpus")
    else:
        rng = np.random.default_rng((seed, len(known)))
        chosen = [known[i] for _ in range(-(-count // len(known))) for i in rng.permutation(len(known))]
    return [chosen[i % len(chosen)] for i in range(count)]


def _draw(
    prior: "SequencePrior", prompt: Prompt, voices: Sequence[str], arguments: argparse.Namespace
) -> list[np.ndarray]:
    """The codes of every sound, the prompt's before them."""
    from speechvq.priors.sequence.sampling import sample_codes

    frames = max(round(arguments.seconds * prior.code_spec.frame_rate_hz), 1)
    numbers = [prior.speakers.index(voice) if prior.speakers else 0 for voice in voices]
    with counter(frames, label=f"{len(voices)} code strings", unit="codes") as count:
        drawn = sample_codes(
            prior,
            frames,
            numbers,
            prompt=prompt.codes,
            seed=arguments.seed,
            temperature=arguments.temperature,
            top_p=arguments.top_p,
            on_step=count,
        )
    return [np.concatenate([prompt.codes, each]) for each in drawn]


def _speak(
    model: "speechvq.SpeechVQ",
    codes: Sequence[np.ndarray],
    voices: Sequence[str],
    prompt: Prompt,
    arguments: argparse.Namespace,
) -> list[np.ndarray]:
    """Every sound, (T,) each; many side by side."""
    rate, waves = model.config.frame_rate, []
    for first in range(0, len(codes), STREAMS):
        part = slice(first, first + STREAMS)
        with counter(
            round(len(codes[0]) / rate, 2), label=f"{len(codes[part])} sounds", unit="s of sound"
        ) as count:
            waves += model.decode(
                codes[part],
                voices[part],
                f0=[pitch_of(model, each, voice, prompt) for each, voice in zip(codes[part], voices[part])],
                seed=arguments.seed,
                temperature=arguments.sound_temperature,
                on_frame=lambda done: count(round(done / rate, 2)),
            )
    return waves


def pitch_of(model: "speechvq.SpeechVQ", codes: np.ndarray, voice: str, prompt: Prompt) -> np.ndarray:
    """The contour for a decoder that is told one: the prompt's about the voice's mean, then what follows from
    the codes.

    Returns:
        (F,), Hz, 10 ms apart.
    """
    from speechvq.audio.f0_conditioning import shift_f0

    hertz = float(model.speaker_f0[model.speaker_index(voice)])
    contour_of_prompt = shift_f0(prompt.pitch, hertz)[: len(prompt.codes) * model.config.hop // F0_HOP]
    own = model.predict_f0(codes, voice)
    return np.concatenate([contour_of_prompt, own[len(contour_of_prompt) :]]).astype(np.float32)


def _write(
    out: Path,
    names: Sequence[str],
    voices: Sequence[str],
    codes: Sequence[np.ndarray],
    waves: Sequence[np.ndarray],
    prior: "SequencePrior",
) -> None:
    """Sounds, a codes directory like that of `encode`, and a manifest of both."""
    words = prior.code_spec
    meta = {FRAME_RATE: words.frame_rate_hz, NUM_CODES: words.num_codes, CODEBOOK: words.codebook}
    write_json(out / CODES / META, meta)
    utterances = []
    for name, voice, each, wave in zip(names, voices, codes, waves):
        write_codes(out / CODES / f"{name}.npy", each)
        write_waveform(out / f"{name}.wav", wave)
        utterances.append(Utterance(name, voice, SPLIT, len(wave) / SAMPLE_RATE, out / f"{name}.wav"))
        print(out / f"{name}.wav")
    write_manifest(out / FILE_NAME, utterances)


if __name__ == "__main__":
    raise SystemExit(main())
