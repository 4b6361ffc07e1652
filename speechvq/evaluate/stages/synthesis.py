"""The stages of a model, and the sounds after each."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from speechvq.audio.lossy_copy import LABEL, lossy_copy
from speechvq.audio.waveform import read_waveform
from speechvq.errors import UserError
from speechvq.evaluate.stages.sentences import Sentence
from speechvq.evaluate.stages.sounds import SoundKey
from speechvq.speech.model import SpeechVQ
from speechvq.speech.noise_excitation import Input, convert_with_noise
from speechvq.speech.streaming.conversion import check_can_stream

RECORDINGS, LOSSY, CONVERSION, LIVE = "recordings", "lossy", "conversion", "live"
REFERENCES = (RECORDINGS, LOSSY)  # made without the model and without a seed
AT_ONCE = 16  # conversions sampled side by side


class Stage(NamedTuple):
    """A point on the way from a recording to its conversion."""

    name: str
    label: str
    added: str  # what lies between the stage `after` and this one
    after: str = ""
    source: Input | None = None  # of `convert_with_noise`


STAGES = (
    Stage(RECORDINGS, "recordings", ""),
    Stage(LOSSY, f"their copy by {LABEL}", "a lossy codec", RECORDINGS),
    Stage("spectra", "their spectra + noise", "source-filter synthesis", RECORDINGS, "spectra"),
    Stage("vectors", "encoder vectors + noise", "encoder and source-filter networks", "spectra", "vectors"),
    Stage("codes", "codes + noise", "quantization", "vectors", "codes"),
    Stage(CONVERSION, "codes + decoder (convert)", "the decoder in place of noise", "codes"),
    Stage(LIVE, "the same as a stream (live)", "no knowledge of later speech", CONVERSION),
)


def sound_keys(stage: Stage, sentences: Sequence[Sentence], seeds: int) -> list[SoundKey]:
    """The sounds of a stage; recordings and copies are there once, whatever the number of seeds."""
    return [
        SoundKey(stage.name, sentence, seed)
        for seed in range(1 if stage.name in REFERENCES else seeds)
        for sentence in sentences
    ]


def available_stages(model: SpeechVQ, names: Sequence[str]) -> tuple[list[Stage], list[str]]:
    """The stages among `names` that the model has, always with the recordings, and a line on the others."""
    wanted, lines = [stage for stage in STAGES if stage.name in (RECORDINGS, *names)], []
    if LIVE in names:
        try:
            check_can_stream(model)
        except UserError as error:
            wanted, lines = wanted[:-1], [f"left out: {LIVE}: {error}"]
    if model.decoder.source_filter is not None:
        return wanted, lines
    missing = [stage.name for stage in wanted if stage.source]
    line = f"left out: {', '.join(missing)}: the model has no source-filter model that could filter noise"
    return [stage for stage in wanted if not stage.source], lines + [line] * bool(missing)


def synthesize_stage(
    model: SpeechVQ, stage: Stage, keys: Sequence[SoundKey]
) -> Iterator[tuple[SoundKey, np.ndarray]]:
    """The sounds (T,), 16 kHz, of a stage other than the recordings.

    Raises:
        UserError: a source cannot be read, or the model has no such speaker.
    """
    if stage.name == LOSSY:
        for key in keys:
            yield key, lossy_copy(read_waveform(key.sentence.source.path))
        return
    if stage.source is not None:
        for key in keys:
            wave = read_waveform(key.sentence.source.path)
            yield (
                key,
                convert_with_noise(model, wave, key.sentence.target, source=stage.source, seed=key.seed),
            )
        return
    for seed in sorted({key.seed for key in keys}):
        chosen = [key for key in keys if key.seed == seed]
        for group in (chosen[i : i + AT_ONCE] for i in range(0, len(chosen), AT_ONCE)):
            waves = [read_waveform(key.sentence.source.path) for key in group]
            targets, live = [key.sentence.target for key in group], stage.name == LIVE
            yield from zip(group, model.convert(waves, targets, seed=seed, live=live))
