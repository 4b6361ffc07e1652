"""Crops of a corpus for training, each a pure function of its number, so that resuming needs no more."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import soundfile
import torch
from torch import Tensor
from torch.utils.data import Dataset

from speechvq.audio.f0 import F0_HOP, f0_contour
from speechvq.audio.glottal_phase import glottal_phase
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.data.manifest import Utterance
from speechvq.data.sampler import ShuffledCrops, load_batches
from speechvq.errors import UserError

AROUND = 4 * F0_HOP  # samples on either side of a crop that its pitch is tracked with
KEPT_HOURS = 10.0  # a corpus up to this long is tracked once, utterance by utterance, and kept: 60 MB an hour


class Crops(NamedTuple):
    """A batch of the speech data."""

    wave: Tensor  # (B, T), float32
    speaker: Tensor  # (B,), int64
    pitch: Tensor  # (B, F), float32, Hz, 0 where unvoiced, 10 ms apart; all 0 where it was not asked for
    phase: Tensor  # (B, T), uint8, classes of `audio.phase`; all 0 where the pitch was not asked for


class CropDataset(Dataset[tuple[Tensor, int, Tensor, Tensor]]):
    """Crop number i of an endless shuffled walk through the utterances.

    An epoch cuts every utterance into as many crops as fit (at least one, padded with silence), shuffles them
    with the epoch's own seed and moves each by a random offset. Only the wanted samples are read from the
    file.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        speakers: Sequence[str],
        crop: int,
        seed: int,
        pitch: bool = False,
    ) -> None:
        """
        Args:
            utterances: what is cut.
            speakers: names in the order of the model's speaker table.
            crop: length in samples.
            seed: of order and offsets.
            pitch: whether to track the pitch of every crop.

        Raises:
            UserError: no utterances, or a speaker that is not among `speakers`.
        """
        if not utterances:
            raise UserError("the manifest has no utterances in this split; prepare the corpus again")
        number = {name: i for i, name in enumerate(speakers)}
        _check_speakers(utterances, speakers)
        self.crop, self.pitch = crop, pitch
        self.paths = [str(u.path) for u in utterances]
        self.speakers = np.array([number[u.speaker] for u in utterances])
        self.lengths = np.array([round(u.seconds * SAMPLE_RATE) for u in utterances])
        self.positions = ShuffledCrops(self.lengths, crop, seed)
        self._keeps = pitch and self.lengths.sum() <= KEPT_HOURS * 3600 * SAMPLE_RATE
        self._voices: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # pitch and phase of utterances

    def __len__(self) -> int:
        """Crops an epoch."""
        return len(self.positions)

    def __getitem__(self, index: int) -> tuple[Tensor, int, Tensor, Tensor]:
        """The crop at a position, which may exceed the length: wave (T,), speaker, F0 (F,), phase (T,)."""
        which, start = self.positions[index]
        if self._keeps:
            wave, pitch, phase = self._read_kept(which, start - start % F0_HOP)
        else:
            wave, pitch, phase = read_voice(self.paths[which], start, self.crop, self.pitch)
        return wave, int(self.speakers[which]), pitch, phase

    def _read_kept(self, which: int, start: int) -> tuple[Tensor, Tensor, Tensor]:
        """As `read_voice`, cut from tracks of the whole utterance; `start` is the first sample of a frame."""
        if which not in self._voices:
            whole = read_crop(self.paths[which], 0, max(int(self.lengths[which]), self.crop))
            hertz = f0_contour(whole)
            self._voices[which] = hertz, glottal_phase(whole, hertz)
        hertz, phase = self._voices[which]
        frames = slice(start // F0_HOP, start // F0_HOP + -(-self.crop // F0_HOP))
        parts = (
            read_crop(self.paths[which], start, self.crop),
            hertz[frames].copy(),
            phase[start : start + self.crop].copy(),
        )
        return tuple(torch.from_numpy(part) for part in parts)  # type: ignore[return-value]


def read_voice(path: str, start: int, length: int, track: bool) -> tuple[Tensor, Tensor, Tensor]:
    """A crop (T,), its F0 (F,), F = ceil(T / 160), and its phase (T,); F0 and phase are 0 without `track`.

    Tracking reads samples on either side of the crop too, so that it is as accurate at the ends as within.

    Raises:
        UserError: as `read_crop`.
    """
    frames = -(-length // F0_HOP)
    if not track:
        return (
            torch.from_numpy(read_crop(path, start, length)),
            torch.zeros(frames),
            torch.zeros(length, dtype=torch.uint8),
        )
    before = min(start // F0_HOP * F0_HOP, AROUND)
    wider = read_crop(path, start - before, before + length + AROUND)
    pitch, own = f0_contour(wider), slice(before, before + length)
    phase = glottal_phase(wider, pitch)
    parts = wider[own], pitch[before // F0_HOP :][:frames], phase[own]
    return tuple(torch.from_numpy(np.ascontiguousarray(part)) for part in parts)  # type: ignore[return-value]


def middle_crops(
    utterances: Sequence[Utterance], speakers: Sequence[str], crop: int, count: int, pitch: bool = False
) -> Crops:
    """The middle of up to `count` utterances spread over the list: the same at every evaluation.

    Raises:
        UserError: fewer than two utterances, when another utterance's codes could not be tried; a speaker
            that is not among `speakers`.
    """
    _check_speakers(utterances, speakers)
    if len(utterances) < 2:
        raise UserError(
            "fewer than two utterances in split 'dev'; prepare the corpus with a larger --dev-share"
        )
    chosen = [
        utterances[i] for i in np.linspace(0, len(utterances) - 1, min(count, len(utterances))).astype(int)
    ]
    starts = [max(round(u.seconds * SAMPLE_RATE) - crop, 0) // 2 for u in chosen]
    crops = [read_voice(str(u.path), start, crop, pitch) for u, start in zip(chosen, starts)]
    waves, contours, phases = (torch.stack(parts) for parts in zip(*crops))
    return Crops(waves, torch.tensor([list(speakers).index(u.speaker) for u in chosen]), contours, phases)


def read_crop(path: str, start: int, length: int) -> np.ndarray:
    """`length` samples from `start`, (T,) float32, padded with silence at the end of the file.

    Raises:
        UserError: the file is missing or damaged, not mono at 16 kHz, or holds NaN.
    """
    try:
        with soundfile.SoundFile(path) as file:
            if (file.samplerate, file.channels) != (SAMPLE_RATE, 1):
                raise UserError(f"{path}: not mono at {SAMPLE_RATE} Hz; prepare the corpus again")
            file.seek(min(start, file.frames))
            wave = file.read(length, dtype="float32", fill_value=0.0)
    except (soundfile.LibsndfileError, OSError) as error:
        raise UserError(f"{path}: cannot be read ({error}); prepare the corpus again") from None
    if not np.isfinite(wave).all():
        raise UserError(f"{path}: holds NaN or infinite samples; prepare the corpus again")
    return wave


def _check_speakers(utterances: Sequence[Utterance], speakers: Sequence[str]) -> None:
    strange = sorted({u.speaker for u in utterances} - set(speakers))
    if strange:
        raise UserError(
            f"speakers unknown to the model: {', '.join(strange)}; train with this manifest from the start, "
            "or put those who are not in split 'train' into split 'unseen'"
        )


def crop_loader(
    dataset: CropDataset, batch: int, *, step: int = 0, rank: int = 0, world_size: int = 1, workers: int = 0
) -> Iterator[Crops]:
    """Endless batches from a training step on.

    Args:
        dataset: what to read.
        batch: crops a step over all processes.
        step: first step; the batches are those an unbroken run would see from there.
        rank: number of this process.
        world_size: how many processes share a batch.
        workers: reading processes; the batches are the same for any number.

    Raises:
        UserError: the batch cannot be shared equally.
    """
    for crops in load_batches(dataset, batch, step=step, rank=rank, world_size=world_size, workers=workers):
        yield Crops(*crops)
