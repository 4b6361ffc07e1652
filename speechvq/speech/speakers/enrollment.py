"""Fitting a speaker's vector to half a minute of a new voice; the model stays as it is, or its decoder is tuned."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from speechvq.audio.f0 import F0_HOP, f0_contour
from speechvq.audio.f0_conditioning import mean_f0
from speechvq.audio.glottal_phase import glottal_phase
from speechvq.speech.model import SpeechVQ
from speechvq.speech.speakers.voice_file import Voice

HELD_OUT = 0.2  # share of the recording that the loss before and after is told of
CROP_SECONDS, BATCH = 1.2, 4
RATE = 0.03
TUNING = 3e-4  # rate of the decoder's weights, where they learn too
REFRESH = (
    10  # steps; of so many one hears the WaveNet, the others source and filter alone, where there are such
)


class Enrolled(NamedTuple):
    """A voice and what it was worth on the part of the recording that was kept apart."""

    voice: Voice
    before: float  # nats a sample, with the known voice that was likeliest
    after: float
    nearest: str  # that voice


class _Crops(NamedTuple):
    wave: Tensor  # (B, T)
    vectors: Tensor  # (B, N, D)
    pitch: Tensor  # (B, F)
    phase: Tensor  # (B, T)


def enroll(
    model: SpeechVQ,
    waves: Sequence[np.ndarray],
    *,
    steps: int = 300,
    seed: int = 0,
    tune: bool = False,
    on_step: Callable[[int], None] | None = None,
) -> Enrolled:
    """Find the vector with which a model predicts a voice best.

    Args:
        model: in evaluation mode; its weights stay as they are, unless the decoder is tuned.
        waves: (T,) each, float, 16 kHz, prepared as for training: level, polarity, no silence at the ends.
        steps: updates of the vector.
        seed: of the crops.
        tune: whether the decoder learns too. It is this voice's then: what it knew of the others fades.
        on_step: told how many steps are done.

    Raises:
        ValueError: less sound than two crops.
    """
    crops = [crop for wave in waves for crop in _cut(model, wave)]
    if len(crops) < 2:
        raise ValueError(f"less sound than two crops of {CROP_SECONDS} s")
    last = max(round(HELD_OUT * len(crops)), 1)
    known, kept = (_Crops(*map(torch.stack, zip(*some))) for some in (crops[:-last], crops[-last:]))
    table = model.decoder.wavenet.conditioning.speaker_embedding.weight.detach()
    with torch.no_grad():
        losses = [float(_loss(model, kept_rows(known, slice(0, 16)), row, quick=True)) for row in table]
    nearest = int(np.argmin(losses))
    vector = table[nearest].clone().requires_grad_()
    with torch.no_grad():
        before = float(_loss(model, kept, table[nearest], quick=False))
    groups = [{"params": [vector], "rate": RATE}]
    if tune:
        groups.append({"params": _tuned(model), "rate": TUNING})
    optimizer = torch.optim.Adam(groups)
    rng, quick = np.random.default_rng(seed), model.decoder.source_filter is not None
    for step in range(steps):
        rows = torch.from_numpy(rng.integers(len(known.wave), size=BATCH))
        loss = _loss(model, kept_rows(known, rows), vector, quick=quick and step % REFRESH != 0)
        optimizer.zero_grad()
        loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = group["rate"] * (1 - step / steps)
        optimizer.step()
        if on_step is not None:
            on_step(step + 1)
    with torch.no_grad():
        after = float(_loss(model, kept, vector, quick=False))
    pitch = mean_f0(np.concatenate([f0_contour(wave) for wave in waves]))
    return Enrolled(Voice(vector.detach(), pitch), before, after, model.speakers[nearest])


def _tuned(model: SpeechVQ) -> list[nn.Parameter]:
    """The decoder's weights but for the voices' vectors."""
    voices = model.decoder.wavenet.conditioning.speaker_embedding.weight
    return [weight.requires_grad_() for weight in model.decoder.parameters() if weight is not voices]


def kept_rows(crops: _Crops, rows: slice | Tensor) -> _Crops:
    """Some of the crops."""
    return _Crops(*(each[rows] for each in crops))


@torch.no_grad()
def _cut(model: SpeechVQ, wave: np.ndarray) -> Iterator[tuple[Tensor, ...]]:
    """Crops of a sound (T,) with all that the decoder is told of them but the voice; as they are within the whole."""
    hop, hertz = model.config.hop, f0_contour(wave)
    phase, vectors = (
        glottal_phase(wave, hertz),
        model.quantizer.lookup(torch.from_numpy(model.encode(wave))),
    )
    unit = math.lcm(hop, F0_HOP)
    crop = int(CROP_SECONDS * model.config.sample_rate) // unit * unit
    for i in range(0, len(wave) - crop + 1, crop):
        yield (
            torch.from_numpy(wave[i : i + crop].astype(np.float32)),
            vectors[i // hop : (i + crop) // hop],
            torch.from_numpy(hertz[i // F0_HOP : (i + crop) // F0_HOP].copy()),
            torch.from_numpy(phase[i : i + crop].copy()),
        )


def _loss(model: SpeechVQ, crops: _Crops, vector: Tensor, *, quick: bool) -> Tensor:
    """Nats a sample with a voice of this vector, or what source and filter alone lose."""
    voices = vector.expand(len(crops.wave), -1)
    if quick and model.decoder.source_filter is not None:
        return model.decoder.source_filter_loss(crops.wave, crops.vectors, voices, crops.pitch, crops.phase)
    parts = [each.split(8) for each in (crops.wave, crops.vectors, voices, crops.pitch, crops.phase)]
    total = sum(model.decoder.nll(*part) * len(part[0]) for part in zip(*parts))
    return total / len(crops.wave)
