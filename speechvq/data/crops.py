"""Crops of a speech corpus for training, and their F0 and glottal phase."""

from collections.abc import Iterator, Sequence
from pathlib import Path
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
from speechvq.data.tracks import Tracks, read_tracks, track
from speechvq.errors import UserError

CONTEXT_SAMPLES = 4 * F0_HOP  # read on either side of a crop when its F0 is tracked
# Without the tracks that `prepare` writes, a corpus up to this size is tracked once; 60 MB per hour.
MAX_CACHED_HOURS = 10.0


class Crops(NamedTuple):
    """A batch of the speech data."""

    wave: Tensor  # (B, T), float32
    speaker: Tensor  # (B,), int64
    f0: Tensor  # (B, F), float32, Hz, 0 where unvoiced, every 10 ms; all 0 if F0 is not tracked
    phase: Tensor  # (B, T), uint8, phase bins of `audio.glottal_phase`; all 0 if F0 is not tracked


class CropDataset(Dataset[tuple[Tensor, int, Tensor, Tensor]]):
    """An endless shuffled sequence of crops of utterances; see `data.sampler.ShuffledCrops`.

    An utterance shorter than a crop is padded with silence. Only the samples of a crop are read from the
    file.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        speakers: Sequence[str],
        crop: int,
        seed: int,
        track_f0: bool = False,
    ) -> None:
        """
        Args:
            utterances: the utterances.
            speakers: names in the order of the model's speaker table.
            crop: length in samples.
            seed: of order and offsets.
            track_f0: whether F0 and phase are computed.

        Raises:
            UserError: no utterances, or a speaker that is not in `speakers`.
        """
        if not utterances:
            raise UserError("the manifest has no utterances in this split; prepare the corpus again")
        index = {name: i for i, name in enumerate(speakers)}
        _check_speakers(utterances, speakers)
        self.crop, self.track_f0 = crop, track_f0
        self.paths = [str(u.path) for u in utterances]
        self.speakers = np.array([index[u.speaker] for u in utterances])
        self.lengths = np.array([round(u.seconds * SAMPLE_RATE) for u in utterances])
        self.positions = ShuffledCrops(self.lengths, crop, seed)
        self._caches_tracks = track_f0 and self.lengths.sum() <= MAX_CACHED_HOURS * 3600 * SAMPLE_RATE
        self._tracks: dict[int, Tracks] = {}  # of whole utterances

    def __len__(self) -> int:
        """Crops per epoch."""
        return len(self.positions)

    def __getitem__(self, position: int) -> tuple[Tensor, int, Tensor, Tensor]:
        """The crop at a position, which may exceed the length: wave (T,), speaker, F0 (F,), phase (T,)."""
        utterance, start = self.positions[position]
        tracks = self._tracks_of(utterance) if self.track_f0 else None
        if tracks is None:
            wave, f0, phase = read_tracked_crop(self.paths[utterance], start, self.crop, self.track_f0)
        else:
            wave, f0, phase = self._cut(utterance, start - start % F0_HOP, tracks)
        return wave, int(self.speakers[utterance]), f0, phase

    def _tracks_of(self, utterance: int) -> Tracks | None:
        """F0 and phase of a whole utterance: from `prepare`, or tracked here; None in a large corpus."""
        path = self.paths[utterance]
        if utterance in self._tracks:
            return self._tracks[utterance]
        if (prepared := read_tracks(Path(path))) is not None:
            return prepared
        if self._caches_tracks:
            return self._tracks.setdefault(utterance, track(read_crop(path, 0, int(self.lengths[utterance]))))
        return None

    def _cut(self, utterance: int, start: int, tracks: Tracks) -> tuple[Tensor, Tensor, Tensor]:
        """As `read_tracked_crop`, cut from tracks of the whole utterance; `start` is a multiple of F0_HOP."""
        f0, phase = np.zeros(-(-self.crop // F0_HOP), np.float32), np.zeros(self.crop, np.uint8)
        for target, source, first in ((f0, tracks.f0, start // F0_HOP), (phase, tracks.phase, start)):
            part = source[first : first + len(target)]
            target[: len(part)] = part  # an utterance shorter than a crop ends in silence
        wave = read_crop(self.paths[utterance], start, self.crop)
        return torch.from_numpy(wave), torch.from_numpy(f0), torch.from_numpy(phase)


def read_tracked_crop(path: str, start: int, length: int, track_f0: bool) -> tuple[Tensor, Tensor, Tensor]:
    """A crop (T,), its F0 (F,), F = ceil(T / 160), and its phase (T,).

    F0 and phase are 0 unless `track_f0`. Tracking reads samples on either side of the crop too, so it is as
    accurate at the ends as within.

    Raises:
        UserError: as `read_crop`.
    """
    frames = -(-length // F0_HOP)
    if not track_f0:
        wave = torch.from_numpy(read_crop(path, start, length))
        return wave, torch.zeros(frames), torch.zeros(length, dtype=torch.uint8)
    before = min(start // F0_HOP * F0_HOP, CONTEXT_SAMPLES)
    wider = read_crop(path, start - before, before + length + CONTEXT_SAMPLES)
    f0, crop = f0_contour(wider), slice(before, before + length)
    phase = glottal_phase(wider, f0)
    return (
        torch.from_numpy(np.ascontiguousarray(wider[crop])),
        torch.from_numpy(np.ascontiguousarray(f0[before // F0_HOP :][:frames])),
        torch.from_numpy(np.ascontiguousarray(phase[crop])),
    )


def middle_crops(
    utterances: Sequence[Utterance], speakers: Sequence[str], crop: int, count: int, track_f0: bool = False
) -> Crops:
    """The middle of up to `count` utterances, evenly spaced over the list: the same at every evaluation.

    Raises:
        UserError: fewer than two utterances, since the evaluation also decodes with mismatched codes; a
            speaker that is not in `speakers`.
    """
    _check_speakers(utterances, speakers)
    if len(utterances) < 2:
        raise UserError(
            "fewer than two utterances in split 'dev'; record more sentences and prepare the corpus again, "
            "with a --dev-fraction above 0"
        )
    chosen = [
        utterances[i] for i in np.linspace(0, len(utterances) - 1, min(count, len(utterances))).astype(int)
    ]
    starts = [max(round(u.seconds * SAMPLE_RATE) - crop, 0) // 2 for u in chosen]
    crops = [read_tracked_crop(str(u.path), start, crop, track_f0) for u, start in zip(chosen, starts)]
    waves, f0, phases = (torch.stack(parts) for parts in zip(*crops))
    return Crops(waves, torch.tensor([list(speakers).index(u.speaker) for u in chosen]), f0, phases)


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
    unknown = sorted({u.speaker for u in utterances} - set(speakers))
    if unknown:
        raise UserError(
            f"speakers unknown to the model: {', '.join(unknown)}; train with this manifest from the start, "
            "or move speakers that are not in split 'train' to split 'unseen'"
        )


def crop_loader(
    dataset: CropDataset, batch: int, *, step: int = 0, rank: int = 0, world_size: int = 1, workers: int = 0
) -> Iterator[Crops]:
    """Endless batches from a training step on; arguments and errors as `data.sampler.load_batches`."""
    for crops in load_batches(dataset, batch, step=step, rank=rank, world_size=world_size, workers=workers):
        yield Crops(*crops)
