"""F0 and glottal phase beside a prepared recording."""

from pathlib import Path

import numpy as np
import pytest

from helpers.synthetic_speech import speech
from speechvq.audio import f0 as f0_tracker
from speechvq.audio.waveform import read_waveform, write_waveform
from speechvq.data import crops, tracks
from speechvq.data.corpora.recording import Recording
from speechvq.data.crops import CropDataset
from speechvq.data.manifest import Utterance
from speechvq.data.preprocessing import preprocess_recording
from speechvq.training.tasks.speech import mean_f0_of_speakers


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A prepared recording of two seconds."""
    write_waveform(tmp_path / "in/a.wav", 0.3 * speech("ann", seconds=2))
    outcome = preprocess_recording(Recording("ann_1", "ann", tmp_path / "in/a.wav"), tmp_path / "out")
    assert not outcome.skipped
    return tmp_path / "out/audio/ann/ann_1.flac"


def utterance(sound: Path) -> Utterance:
    return Utterance("ann_1", "ann", "train", len(read_waveform(sound)) / 16_000, sound)


def test_preparation_tracks_the_recording_as_it_is_in_its_file(sound: Path) -> None:
    found, expected = tracks.read_tracks(sound), tracks.track(read_waveform(sound))
    assert found is not None and np.array_equal(found.f0, expected.f0) and (found.f0 > 0).any()
    assert np.array_equal(found.phase, expected.phase) and found.phase.any()
    assert tracks.f0_of(sound) is not None and np.array_equal(tracks.f0_of(sound), expected.f0)


def test_training_reads_the_tracks_and_tracks_nothing(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dataset(crop: int) -> CropDataset:
        return CropDataset([utterance(sound)], ["ann"], crop, 0, track_f0=True)

    prepared = [dataset(crop)[i] for crop in (3_200, 8_000, 64_000) for i in range(3)]
    moved = sound.with_suffix(".safetensors").rename(sound.with_suffix(".away"))
    tracked = [dataset(crop)[i] for crop in (3_200, 8_000, 64_000) for i in range(3)]
    for one, other in zip(prepared, tracked):
        assert all(np.array_equal(a, b) for a, b in zip(one, other))
    moved.rename(sound.with_suffix(".safetensors"))

    def refuse(*_: object) -> None:
        raise AssertionError("tracked again")

    monkeypatch.setattr(tracks, "f0_contour", refuse)
    monkeypatch.setattr(crops, "f0_contour", refuse)
    assert all(np.array_equal(a, b) for a, b in zip(dataset(8_000)[0], prepared[3]))
    assert mean_f0_of_speakers([utterance(sound)], ["ann"])[0] > 50


@pytest.mark.parametrize("change", ["setting", "recording", "damaged", "other tensors", "none"])
def test_tracks_of_anything_else_count_as_missing(
    change: str, sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tracks.tracks_path(sound)
    if change == "setting":
        tracks.version.cache_clear()
        monkeypatch.setattr(f0_tracker, "_VOICING", 0.41)
    elif change == "recording":
        write_waveform(sound, read_waveform(sound)[:9_000])
    elif change == "damaged":
        path.write_bytes(path.read_bytes()[:100])
    elif change == "other tensors":
        path.write_bytes(tracks.save({"f0": np.zeros(3, np.float32)}, tracks._metadata(sound)))
    else:
        path.unlink()
    try:
        assert tracks.read_tracks(sound) is None
        assert len(tracks.f0_of(sound)) == -(-len(read_waveform(sound)) // 160)
    finally:
        tracks.version.cache_clear()
