"""Crops: pure functions of their position, once per epoch, split over processes."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from helpers.tiny import SPEAKERS
from speechvq.audio.f0 import f0_contour
from speechvq.data.crops import CropDataset, crop_loader, middle_crops, read_crop
from speechvq.data.manifest import Utterance, read_manifest
from speechvq.errors import UserError

CROP = 1_600


def utterances(corpus: Path, split: str = "train") -> list[Utterance]:
    return [utterance for utterance in read_manifest(corpus) if utterance.split == split]


def dataset(corpus: Path, crop: int = CROP, seed: int = 0) -> CropDataset:
    return CropDataset(utterances(corpus), SPEAKERS, crop, seed)


def test_a_crop_is_a_pure_function_of_its_position(corpus: Path) -> None:
    """It does not depend on what was read before, or in which order."""
    one, other = dataset(corpus), dataset(corpus)
    numbers = [0, 5, len(one), 3 * len(one) + 2, 5, 1]
    expected = {number: one[number] for number in sorted(numbers)}
    for number in numbers:
        wave, speaker, *_ = other[number]
        assert torch.equal(wave, expected[number][0]) and speaker == expected[number][1]
        assert wave.shape == (CROP,) and wave.dtype == torch.float32
    assert not torch.equal(one[0][0], dataset(corpus, seed=1)[0][0]), "another seed, another walk"


def test_every_epoch_is_another_permutation(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each utterance appears as often as crops fit into it, at different offsets."""
    crops: list[tuple[str, int]] = []
    monkeypatch.setattr("speechvq.data.crops.read_crop", lambda *a: crops.append(a[:2]) or np.zeros(CROP))
    data = dataset(corpus)
    fits = {str(u.path): max(round(u.seconds * 16_000) // CROP, 1) for u in utterances(corpus)}
    epochs = []
    for epoch in range(3):
        crops.clear()
        for place in range(len(data)):
            data[epoch * len(data) + place]
        paths = [path for path, _ in crops]
        assert {path: paths.count(path) for path in fits} == fits
        assert len(set(crops)) > len(crops) / 2
        epochs.append(paths)
    assert epochs[0] != epochs[1] != epochs[2]


def test_crops_lie_inside_their_utterances(corpus: Path) -> None:
    data, waves = dataset(corpus), {u.speaker: [] for u in utterances(corpus)}
    for utterance in utterances(corpus):
        waves[utterance.speaker].append(soundfile.read(utterance.path, dtype="float32")[0])
    for number in range(30):
        wave, speaker, *_ = data[number]
        found = [
            np.array_equal(whole[start : start + CROP], wave.numpy())
            for whole in waves[SPEAKERS[speaker]]
            for start in np.flatnonzero(whole == wave[0].numpy())
        ]
        assert any(found)


@pytest.mark.parametrize("step", [0, 3, 11])
def test_two_processes_split_the_batch(corpus: Path, step: int) -> None:
    alone = crop_loader(dataset(corpus), 4, step=step)
    first, second = (crop_loader(dataset(corpus), 4, step=step, rank=rank, world_size=2) for rank in range(2))
    for whole, left, right in itertools.islice(zip(alone, first, second), 4):
        assert torch.equal(whole.wave, torch.cat([left.wave, right.wave]))
        assert torch.equal(whole.speaker, torch.cat([left.speaker, right.speaker]))


def test_batches_resume_at_any_step(corpus: Path) -> None:
    unbroken = list(itertools.islice(crop_loader(dataset(corpus), 3), 30))
    for step in (1, 7, 15, 29):
        resumed = next(crop_loader(dataset(corpus), 3, step=step))
        assert torch.equal(resumed.wave, unbroken[step].wave)


@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker")  # on a machine of one core
def test_reading_processes_do_not_change_the_batches(corpus: Path) -> None:
    alone = itertools.islice(crop_loader(dataset(corpus), 3), 8)
    helped = itertools.islice(crop_loader(dataset(corpus), 3, workers=2), 8)
    assert all(
        torch.equal(a.wave, b.wave) and torch.equal(a.speaker, b.speaker) for a, b in zip(alone, helped)
    )


def test_a_short_utterance_is_padded_with_silence(corpus: Path) -> None:
    data = dataset(corpus, crop=10_000)
    assert len(data) == len(utterances(corpus)), "each comes once"
    for number in range(len(data)):
        wave, *_ = data[number]
        assert wave.shape == (10_000,) and wave[:4_800].any() and not wave[7_200:].any()


def test_held_out_crops_are_fixed_middles(corpus: Path) -> None:
    held_out = utterances(corpus, "dev")
    crops = middle_crops(held_out, SPEAKERS, CROP, 9)
    assert crops.speaker.tolist() == [0, 1, 2]
    for wave, utterance in zip(crops.wave, held_out):
        whole = soundfile.read(utterance.path, dtype="float32")[0]
        start = (len(whole) - CROP) // 2
        assert np.array_equal(wave.numpy(), whole[start : start + CROP])
    assert len(middle_crops(held_out, SPEAKERS, CROP, 2).wave) == 2


def test_mistakes_are_named(corpus: Path) -> None:
    everything, strange = (
        utterances(corpus),
        [dataclasses.replace(u, speaker="eve") for u in utterances(corpus)],
    )
    with pytest.raises(UserError, match="no utterances in this split"):
        CropDataset([], SPEAKERS, CROP, 0)
    for use in (lambda u: CropDataset(u, SPEAKERS, CROP, 0), lambda u: middle_crops(u, SPEAKERS, CROP, 3)):
        with pytest.raises(UserError, match="speakers unknown to the model: eve; .*'unseen'"):
            use(strange)
    with pytest.raises(UserError, match="fewer than two utterances in split 'dev'"):
        middle_crops(everything[:1], SPEAKERS, CROP, 3)
    with pytest.raises(UserError, match="data.batch = 3 cannot be split over 2 processes"):
        next(crop_loader(dataset(corpus), 3, world_size=2))


def test_files_that_changed_since_preparation_are_named(tmp_path: Path) -> None:
    wave = 0.1 * np.ones(4_000, np.float32)
    soundfile.write(tmp_path / "fast.wav", wave, 22_050)
    soundfile.write(tmp_path / "wide.wav", np.stack([wave, wave], 1), 16_000)
    soundfile.write(tmp_path / "nan.wav", wave * np.nan, 16_000, subtype="FLOAT")
    (tmp_path / "text.wav").write_text("no sound")
    causes = {
        "fast": "not mono at 16000",
        "wide": "not mono",
        "nan": "NaN",
        "text": "cannot be read",
        "gone": "read",
    }
    for name, cause in causes.items():
        with pytest.raises(UserError, match=f"{name}.wav: .*{cause}.*prepare the corpus again") as caught:
            read_crop(str(tmp_path / f"{name}.wav"), 0, 100)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("hours", [0.0, 10.0])
def test_f0_and_phase_belong_to_their_crop(
    corpus: Path, hours: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tracks of the utterance and of the crop: pure functions of the position, and alike in the middle."""
    monkeypatch.setattr("speechvq.data.crops.MAX_CACHED_HOURS", hours)
    one, other = (CropDataset(utterances(corpus), SPEAKERS, 3_200, 0, track_f0=True) for _ in range(2))
    for number in (3, 0, 7, 3):
        wave, _, f0, phase = one[number]
        assert wave.shape == phase.shape == (3_200,) and f0.shape == (20,) and phase.dtype == torch.uint8
        assert all(
            torch.equal(a, b) for a, b in zip((wave, f0, phase), (other[number][i] for i in (0, 2, 3)))
        )
        around = f0_contour(wave.numpy())
        both = (f0[4:-4].numpy() > 0) & (around[4:-4] > 0)
        assert np.allclose(f0[4:-4].numpy()[both], around[4:-4][both], rtol=0.1)
        assert ((phase > 0).float().view(20, 160).mean(1)[1:-1] >= (f0[1:-1] > 0).float() * 0.4).all()
