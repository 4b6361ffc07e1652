"""How the speech model is taught: crops of a corpus, and whether its decoder listens to the codes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from speechvq.audio.f0 import f0_contour
from speechvq.audio.f0_conditioning import mean_f0
from speechvq.audio.waveform import read_waveform
from speechvq.config import SpeechRun
from speechvq.data.crops import CropDataset, crop_loader, middle_crops
from speechvq.data.manifest import Utterance, read_manifest
from speechvq.errors import UserError
from speechvq.runtime import distributed
from speechvq.speech.model import SpeechVQ
from speechvq.speech.model_directory import save_model
from speechvq.training.metrics_log import say
from speechvq.training.task import TrainingTask
from speechvq.training.tasks.speech_heldout import measure_heldout

PITCH_UTTERANCES = 5  # that a voice's mean pitch is taken from
SOURCE_FILTER_RATE, SAID_EVERY = 2e-3, 200  # of learning; steps
LAID, LAID_AT_ONCE = 32, 16  # vectors for each code that the codebook is laid among; crops encoded at once


def build_task(config: SpeechRun, device: torch.device) -> TrainingTask:
    """The model on its device, its crops and its measures.

    Raises:
        UserError: a corpus or settings that cannot be trained on.
    """
    utterances = read_manifest(config.data.manifest)
    check(config)
    torch.manual_seed(config.train.seed)
    training, dev = _of(utterances, "train"), _of(utterances, "dev")
    speakers = sorted({u.speaker for u in training})
    model = SpeechVQ(config.model, speakers).to(device)
    crop, pitch = config.data.crop, config.model.wavenet.condition_on_f0
    dataset = CropDataset(training, speakers, crop, config.train.seed, pitch)
    heldout = middle_crops(dev, speakers, crop, config.train.num_eval_items, pitch)
    if pitch:
        model.speaker_f0.copy_(torch.tensor(voice_pitches(training, speakers)))
    freeze_conditioning(model, config)
    return TrainingTask(
        model,
        lambda step: crop_loader(
            dataset,
            config.data.batch,
            step=step,
            rank=distributed.rank(),
            world_size=distributed.world_size(),
            workers=config.data.workers,
        ),
        lambda model: measure_heldout(model, heldout),
        _export,
        lambda: _begin(model, training, config),
    )


def check(config: SpeechRun) -> None:
    """Refuse settings that contradict one another.

    Raises:
        UserError: names them.
    """
    if config.data.crop % config.model.hop:
        raise UserError(
            f"data.crop = {config.data.crop} is not a multiple of the hop, {config.model.hop} samples"
        )


def voice_pitches(utterances: Sequence[Utterance], speakers: Sequence[str]) -> list[float]:
    """Mean pitch of each voice, Hz, from a few of its utterances; 0 for one without voiced sound."""
    chosen = [[u for u in utterances if u.speaker == name][:PITCH_UTTERANCES] for name in speakers]
    return [mean_f0(np.concatenate([f0_contour(read_waveform(u.path)) for u in few])) for few in chosen]


def _begin(model: SpeechVQ, training: Sequence[Utterance], config: SpeechRun) -> None:
    """What comes before the first step: the codebook, then source and filter; the same on every process."""
    settings = config.model.source_filter
    _lay_codebook(model, CropDataset(training, model.speakers, config.data.crop, config.train.seed))
    if settings.filter_order and settings.pretrain_steps:
        pretrain_source_filter(model, training, config)


def _lay_codebook(model: SpeechVQ, dataset: CropDataset) -> None:
    """Lay the codebook among the untrained encoder's outputs: the crops that training begins with."""
    quantizer, wanted = model.quantizer, LAID * model.config.quantizer.num_codes
    vectors: list[torch.Tensor] = []
    with torch.no_grad():
        for first in range(0, len(dataset), LAID_AT_ONCE):
            waves = torch.stack([dataset[i][0] for i in range(first, first + LAID_AT_ONCE)])
            vectors.append(model.encoder(waves.to(quantizer.codebook.device)).flatten(0, 1))
            if sum(map(len, vectors)) >= wanted:
                break
    quantizer.init_codebook_kmeans(torch.cat(vectors))


def freeze_conditioning(model: SpeechVQ, config: SpeechRun) -> None:
    """Hold what the WaveNet is to rely on: source, filter and what they were told, and a model without rate its codes."""
    for part in _voice(model):
        part.requires_grad_(False)
    if config.train.encoder_lr_scale == 0:
        model.encoder.requires_grad_(False)
        model.frozen = True


def _voice(model: SpeechVQ) -> list[nn.Module]:
    """What learns before the WaveNet, if anything does."""
    decoder = model.decoder
    parts = [decoder.source_filter, decoder.intonation, decoder.wavenet.conditioning.speaker_embedding]
    return [] if decoder.source_filter is None else [part for part in parts if part is not None]


def pretrain_source_filter(model: SpeechVQ, training: Sequence[Utterance], config: SpeechRun) -> None:
    """Teach source and filter, and the encoder with them, before the WaveNet, which takes far longer a sample."""
    settings, device = config.model.source_filter, model.quantizer.codebook.device
    dataset = CropDataset(
        training, model.speakers, config.data.crop, config.train.seed, config.model.wavenet.condition_on_f0
    )
    learners = _voice(model) + ([model.encoder, model.quantizer] if settings.pretrain_encoder else [])
    weights = [weight.requires_grad_() for part in learners for weight in part.parameters()]
    optimizer = torch.optim.Adam(weights)
    for part in (model.encoder, model.quantizer):
        part.train(settings.pretrain_encoder)
    total, stream = 0.0, crop_loader(dataset, settings.pretrain_batch, workers=config.data.workers)
    for step in range(settings.pretrain_steps):
        wave, speaker, pitch, phase = (tensor.to(device) for tensor in next(stream))
        with torch.set_grad_enabled(settings.pretrain_encoder):
            quantised = model.quantizer(model.encoder(wave))
        loss = model.decoder.source_filter_loss(wave, quantised.vectors, speaker, pitch, phase)
        total += float(loss.detach())
        optimizer.zero_grad()
        # Spectra are learnt as means over their bands; so the commitment is one over the vectors' numbers.
        (loss + quantised.loss / config.model.quantizer.dim).backward()
        nn.utils.clip_grad_norm_(weights, config.train.grad_clip)
        for group in optimizer.param_groups:
            group["lr"] = SOURCE_FILTER_RATE * min(
                1.0, (step + 1) / 50, (settings.pretrain_steps - step) / (0.5 * settings.pretrain_steps)
            )
        optimizer.step()
        if (step + 1) % SAID_EVERY == 0:
            say(
                f"source and filter, step {step + 1}/{settings.pretrain_steps}: loss {total / SAID_EVERY:.3f}"
            )
            total = 0.0
    freeze_conditioning(model, config)
    model.train()


def _export(folder: Path, model: nn.Module) -> None:
    assert isinstance(model, SpeechVQ)
    save_model(folder, model)


def _of(utterances: Sequence[Utterance], split: str) -> list[Utterance]:
    return [u for u in utterances if u.split == split]
