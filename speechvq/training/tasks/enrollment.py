"""Enrollment: fits a speaker embedding to a short recording; the model is frozen, or its decoder is tuned."""

import hashlib
import itertools
import json
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from speechvq.audio.f0 import F0_HOP, f0_contour, mean_f0
from speechvq.audio.glottal_phase import glottal_phase
from speechvq.config import TrainConfig
from speechvq.io.atomic import write_json
from speechvq.runtime.logging import logger
from speechvq.speech.model import SpeechVQ
from speechvq.speech.speakers.voice_file import Voice
from speechvq.training.loop import fit
from speechvq.training.stage import ParameterGroup, PretrainingLosses, Stage

HELDOUT_FRACTION = 0.2  # of the recording, on which the loss before and after is measured
CROP_SECONDS, BATCH = 1.2, 4
EMBEDDING_LR, DECODER_LR = 0.03, 3e-4
# With a source-filter model, one step in so many uses the WaveNet, which costs far more; the others use
# source and filter alone.
WAVENET_EVERY = 10
SAVE_EVERY, EVAL_BATCH = 20, 8  # steps; crops
SETTINGS = "enrollment.json"  # of a run directory


class Enrolled(NamedTuple):
    """A new voice, and its loss on the held-out part of the recording."""

    voice: Voice
    before: float  # nats per sample, with the closest known speaker
    after: float  # nats per sample, with the new embedding
    nearest: str  # that speaker


class _Crops(NamedTuple):
    wave: Tensor  # (B, T)
    vectors: Tensor  # (B, N, D)
    f0: Tensor  # (B, F)
    phase: Tensor  # (B, T)

    def rows(self, chosen: slice | Tensor) -> "_Crops":
        """Some of the crops."""
        return _Crops(*(each[chosen] for each in self))


class _Enrollment(nn.Module):
    """A model and the embedding of its new speaker, as one module for the training loop."""

    def __init__(self, model: SpeechVQ, embedding: Tensor) -> None:
        super().__init__()
        self.model, self.embedding = model, nn.Parameter(embedding.clone())


def enroll(
    model: SpeechVQ,
    waves: Sequence[np.ndarray],
    *,
    steps: int = 300,
    seed: int = 0,
    tune: bool = False,
    run: Path | None = None,
    on_step: Callable[[int], None] | None = None,
) -> Enrolled:
    """Fit a speaker embedding by gradient descent on the decoder's loss.

    Args:
        model: in evaluation mode; its weights do not change, unless the decoder is tuned.
        waves: (T,) each, float, 16 kHz, prepared as for training: level, polarity, no silence at the ends.
        steps: number of updates.
        seed: of the choice of crops.
        tune: whether the decoder learns too; it then suits the known speakers less.
        run: run directory, from which a stopped enrollment resumes; None for a temporary one.
        on_step: called with the number of updates done before each update; what it raises ends
            the enrollment.

    Raises:
        ValueError: the audio is shorter than two crops.
        Interrupted: SIGTERM or SIGINT came; the run directory holds a checkpoint.
    """
    crops = [crop for wave in waves for crop in _cut(model, wave)]
    if len(crops) < 2:
        raise ValueError(f"the audio is shorter than two crops of {CROP_SECONDS} s")
    first_heldout = len(crops) - max(round(HELDOUT_FRACTION * len(crops)), 1)
    training, heldout = (
        _Crops(*map(torch.stack, zip(*part))) for part in (crops[:first_heldout], crops[first_heldout:])
    )
    table = model.decoder.speaker_embedding.weight.detach()
    with torch.no_grad():
        losses = [float(_loss(model, training.rows(slice(0, 16)), row, quick=True)) for row in table]
        nearest = int(np.argmin(losses))
        before = float(_loss(model, heldout, table[nearest], quick=False))
    enrollment = _Enrollment(model, table[nearest])
    if run is not None:
        _reserve_folder(run, _settings(model, waves, steps, seed, tune))
    config = TrainConfig(steps, seed=seed, save_every=SAVE_EVERY)
    with nullcontext(run) if run is not None else tempfile.TemporaryDirectory() as folder:
        _fit(enrollment, training, config, tune, Path(folder), on_step)
    embedding = enrollment.embedding.detach()
    with torch.no_grad():
        after = float(_loss(model, heldout, embedding, quick=False))
    f0 = mean_f0(np.concatenate([f0_contour(wave) for wave in waves]))
    return Enrolled(Voice(embedding, f0), before, after, model.speakers[nearest])


def _fit(
    enrollment: _Enrollment,
    training: _Crops,
    config: TrainConfig,
    tune: bool,
    folder: Path,
    on_step: Callable[[int], None] | None,
) -> None:
    """Run the training loop; the caller's random state and `requires_grad` flags stay as they are."""
    model = enrollment.model
    flags = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    groups = [ParameterGroup([enrollment.embedding], EMBEDDING_LR)]
    if tune:
        groups.append(ParameterGroup(_decoder_parameters(model), DECODER_LR))

    def batches(step: int) -> Iterator[tuple[Tensor, ...]]:
        has_source_filter = model.decoder.source_filter is not None
        for done, batch in enumerate(_batches(training, config.seed, step, has_source_filter), start=step):
            if on_step is not None:
                on_step(done)
            yield batch

    def losses(*batch: Tensor) -> PretrainingLosses:
        loss = _loss(model, _Crops(*batch[:4]), enrollment.embedding, quick=bool(batch[4]))
        return PretrainingLosses(loss, loss.detach())

    stage = Stage(
        "enrollment",
        config.steps,
        batches,
        losses,
        groups,
        lambda step: 1 - step / config.steps,
        eval_modules=[enrollment],
    )
    try:
        device = enrollment.embedding.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            fit(enrollment, [stage], folder, config)
    finally:
        for parameter, flag in flags:
            parameter.requires_grad_(flag)
            parameter.grad = None


def _batches(crops: _Crops, seed: int, step: int, has_source_filter: bool) -> Iterator[tuple[Tensor, ...]]:
    """Crops, and whether the step uses source and filter alone, (): endless batches from a step on."""
    generator = np.random.default_rng(seed)
    for number in itertools.count():
        chosen = torch.from_numpy(generator.integers(len(crops.wave), size=BATCH))
        if number >= step:
            yield *crops.rows(chosen), torch.tensor(has_source_filter and number % WAVENET_EVERY != 0)


def _decoder_parameters(model: SpeechVQ) -> list[nn.Parameter]:
    """The decoder's weights without the table of known speakers."""
    known = model.decoder.speaker_embedding.weight
    return [parameter for parameter in model.decoder.parameters() if parameter is not known]


def _settings(
    model: SpeechVQ, waves: Sequence[np.ndarray], steps: int, seed: int, tune: bool
) -> dict[str, object]:
    """What a resumed enrollment must have in common with the stopped one."""
    weights = hashlib.sha256()
    for tensor in model.state_dict().values():
        weights.update(tensor.cpu().contiguous().numpy().tobytes())
    audio = hashlib.sha256(b"".join(np.asarray(wave, np.float32).tobytes() for wave in waves))
    return {
        "steps": steps,
        "seed": seed,
        "tune": tune,
        "model": weights.hexdigest(),
        "audio": audio.hexdigest(),
    }


def _reserve_folder(run: Path, settings: dict[str, object]) -> None:
    """Write the settings of a run; a stopped enrollment with other settings is discarded with a warning.

    Raises:
        UserError: the folder cannot be written.
    """
    path = run / SETTINGS
    try:
        before = json.loads(path.read_text())
    except (OSError, ValueError):
        before = None
    if before is not None and before != settings:
        before = before if isinstance(before, dict) else {}
        changed = ", ".join(name for name in settings if settings[name] != before.get(name))
        logger.warning(
            "warning: %s: the stopped enrollment had other settings (%s); starting again", run, changed
        )
    if before != settings:
        shutil.rmtree(run / "checkpoints", ignore_errors=True)
    write_json(path, settings)


@torch.no_grad()
def _cut(model: SpeechVQ, wave: np.ndarray) -> Iterator[tuple[Tensor, ...]]:
    """Crops of a waveform (T,) with the decoder's conditioning, computed from the whole waveform."""
    hop, f0 = model.config.hop, f0_contour(wave)
    phase = glottal_phase(wave, f0)
    device = model.quantizer.codebook.device
    vectors = model.quantizer.lookup(torch.from_numpy(model.encode(wave)).to(device))
    unit = math.lcm(hop, F0_HOP)
    length = int(CROP_SECONDS * model.config.sample_rate) // unit * unit
    for start in range(0, len(wave) - length + 1, length):
        stop = start + length
        yield (
            torch.from_numpy(wave[start:stop].astype(np.float32)).to(device),
            vectors[start // hop : stop // hop],
            torch.from_numpy(f0[start // F0_HOP : stop // F0_HOP].copy()).to(device),
            torch.from_numpy(phase[start:stop].copy()).to(device),
        )


def _loss(model: SpeechVQ, crops: _Crops, embedding: Tensor, *, quick: bool) -> Tensor:
    """Loss of crops with a speaker embedding, (): nats per sample; of source and filter alone if
    `quick`, or if the decoder has a vocoder."""
    speakers = embedding.expand(len(crops.wave), -1)
    if model.decoder.wavenet is None or (quick and model.decoder.source_filter is not None):
        return model.decoder.source_filter_loss(crops.wave, crops.vectors, speakers, crops.f0, crops.phase)
    inputs = (crops.wave, crops.vectors, speakers, crops.f0, crops.phase)
    parts = zip(*(each.split(EVAL_BATCH) for each in inputs))
    total = torch.zeros((), device=embedding.device)
    for part in parts:
        total = total + model.decoder.nll(*part) * len(part[0])
    return total / len(crops.wave)
