"""How the speech model is taught: crops of a corpus, and whether its decoder listens to the codes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from speechvq import distributed
from speechvq.audio.dataset import CropDataset, crop_loader, middle_crops
from speechvq.audio.manifest import Utterance, read_manifest
from speechvq.audio.pitch import contour
from speechvq.audio.waveform import read_waveform
from speechvq.config import SpeechRun
from speechvq.errors import UserError
from speechvq.speech.contour import mean_pitch
from speechvq.speech.model import SpeechVQ
from speechvq.speech.model_directory import save_model
from speechvq.train.lesson import Lesson
from speechvq.training.heldout import measure_heldout

PITCH_UTTERANCES = 5  # that a voice's mean pitch is taken from


def lesson(config: SpeechRun, device: torch.device) -> Lesson:
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
    crop, pitch = config.data.crop, config.model.wavenet.pitch
    dataset = CropDataset(training, speakers, crop, config.train.seed, pitch)
    heldout = middle_crops(dev, speakers, crop, config.train.evaluate_crops, pitch)
    if pitch:
        model.voice_pitch.copy_(torch.tensor(voice_pitches(training, speakers)))
    return Lesson(
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
    return [mean_pitch(np.concatenate([contour(read_waveform(u.path)) for u in few])) for few in chosen]


def _export(folder: Path, model: nn.Module) -> None:
    assert isinstance(model, SpeechVQ)
    save_model(folder, model)


def _of(utterances: Sequence[Utterance], split: str) -> list[Utterance]:
    return [u for u in utterances if u.split == split]
