"""Speech from a prior: codes sampled unconditionally or after a prompt, decoded by the speech model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from speechvq.audio.f0 import F0_HOP, f0_contour, shift_f0
from speechvq.errors import UserError
from speechvq.io.names import split_names
from speechvq.priors.sequence.code_spec import CodeSpec
from speechvq.priors.sequence.prior import SequencePrior
from speechvq.speech.model import SpeechVQ


@dataclass(frozen=True)
class Prompt:
    """A recording that is continued; empty for unconditional samples."""

    codes: np.ndarray  # (P,), int64
    f0: np.ndarray  # (F,), Hz, 0 where unvoiced, one value per 10 ms


def encode_prompt(model: SpeechVQ, wave: np.ndarray) -> Prompt:
    """The prompt of a waveform (T,) at 16 kHz, T = 0 for none."""
    return Prompt(model.encode(wave), f0_contour(wave) if len(wave) else wave)


def find_difference(model: SpeechVQ, prior: SequencePrior) -> str:
    """How the codes of a prior differ from those of a model, in words; empty if they are the same.

    Number of codes, frame rate and the fingerprint of the codebook are compared.
    """
    config = model.config
    spec = CodeSpec(config.quantizer.num_codes, config.frame_rate, model.fingerprint())
    return spec.difference(prior.code_spec)


def choose_speakers(
    requested: str, count: int, model: SpeechVQ, prior: SequencePrior, seed: int
) -> list[str]:
    """A speaker for each sample.

    Args:
        requested: names between commas, see `split_names`, taken in turn; empty to draw speakers at random,
            without repetition as long as there are enough.
        count: number of samples.
        model: decodes the samples.
        prior: samples the codes; it may be conditioned on some of the speakers.
        seed: of the random draw.

    Raises:
        UserError: a speaker that the model or the prior does not know.
    """
    known = [name for name in model.speakers if not prior.speakers or name in prior.speakers]
    if requested:
        chosen = split_names(requested, model.speakers.__contains__)
        if not chosen:
            raise UserError(f"--speaker '{requested}': holds no name; leave it out to draw speakers")
        for name in chosen:
            model.speaker_index(name)
            if name not in known:
                raise UserError(
                    f"--speaker {name}: the prior does not know this speaker; "
                    "train it with model.speaker_dim=0"
                )
    elif not known:
        raise UserError("the prior knows none of the model's speakers; train it on this model's corpus")
    else:
        rng = np.random.default_rng((seed, len(known)))
        chosen = [known[i] for _ in range(-(-count // len(known))) for i in rng.permutation(len(known))]
    return [chosen[i % len(chosen)] for i in range(count)]


def continue_prompt(
    prior: SequencePrior,
    prompt: Prompt,
    speakers: Sequence[str],
    frames: int,
    *,
    seed: int,
    temperature: float,
    top_p: float,
    on_step: Callable[[int], None] | None = None,
) -> list[np.ndarray]:
    """Code strings of all samples, each the prompt and `frames` codes after it: (P + frames,), int64.

    Args:
        prior: samples the codes.
        prompt: the beginning of every sample.
        speakers: of the samples; they matter to a prior that is conditioned on the speaker.
        frames: codes to sample.
        seed, temperature, top_p, on_step: as of `sample_codes`.
    """
    from speechvq.priors.sequence.sampling import sample_codes

    sampled = sample_codes(
        prior,
        frames,
        [prior.speakers.index(name) if prior.speakers else 0 for name in speakers],
        prompt=prompt.codes,
        seed=seed,
        temperature=temperature,
        top_p=top_p,
        on_step=on_step,
    )
    return [np.concatenate([prompt.codes, codes]) for codes in sampled]


def continued_f0(model: SpeechVQ, codes: np.ndarray, speaker: str, prompt: Prompt) -> np.ndarray:
    """F0 contour of a sample: the prompt's, shifted to the speaker, then the one predicted from the codes.

    Returns:
        (F,), Hz, 0 where unvoiced, one value per 10 ms.
    """
    mean = float(model.speaker_f0[model.speaker_index(speaker)])
    start = shift_f0(prompt.f0, mean)[: len(prompt.codes) * model.config.hop // F0_HOP]
    predicted = model.predict_f0(codes, speaker)
    return np.concatenate([start, predicted[len(start) :]]).astype(np.float32)
