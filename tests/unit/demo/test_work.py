"""The work of each tab of the demo, without a server."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

pytest.importorskip("aiohttp", reason="needs the extra demo")

from helpers.demo import demo_session, prior_of, write_speech
from helpers.tiny import speech_model
from speechvq.audio.waveform import SAMPLE_RATE, read_waveform, write_waveform
from speechvq.demo import generation, units, uploads
from speechvq.demo.conversion import convert_upload, voice_sample
from speechvq.demo.enrollment import enroll_upload
from speechvq.demo.session import Session
from speechvq.demo.work_queue import Cancelled, Progress
from speechvq.errors import UserError
from speechvq.speech.speakers.voice_file import load_voice


def content(url: str) -> bytes:
    return base64.b64decode(url.split(",")[1])


def audio(url: str) -> np.ndarray:
    return soundfile.read(io.BytesIO(content(url)))[0]


@pytest.fixture
def session() -> Session:
    return demo_session()


def test_a_conversion_has_audio_a_figure_and_facts(session: Session, tmp_path: Path) -> None:
    path, progress = write_speech(tmp_path / "hello there.flac"), Progress()
    found = convert_upload(session, path, "bob", tmp_path, progress)
    expected = session.model.convert(read_waveform(path), "bob")
    assert np.allclose(audio(found["converted"]), expected, atol=1e-4)
    assert np.allclose(audio(found["source"]), read_waveform(path), atol=1e-4)
    assert Image.open(io.BytesIO(content(found["figure"]))).size[0] == 1600
    assert found["file"] == "hello there_bob.flac" and found["codes"] == 100
    assert found["change"] == found["warning"] == ""
    assert progress.fraction >= 0.9


def test_other_rates_are_resampled_and_named(session: Session, tmp_path: Path) -> None:
    path, rate = tmp_path / "a.wav", 44_100
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal((rate, 2)), rate)
    found = convert_upload(session, path, "ada", tmp_path, Progress())
    assert len(audio(found["converted"])) == SAMPLE_RATE
    assert f"{rate} Hz, down-mixed and resampled" in found["change"]


def test_recordings_that_cannot_be_used_are_refused(session: Session, tmp_path: Path) -> None:
    text, empty, long = tmp_path / "notes.txt", tmp_path / "empty.wav", tmp_path / "long.wav"
    phone = tmp_path / "notes.m4a"
    for path in (text, phone):
        path.write_text("not audio")
    empty.touch()
    write_waveform(long, np.zeros(61 * SAMPLE_RATE, np.float32))
    for path, words in (
        (text, "not a readable audio file"),
        (phone, r"not a readable audio file \(.*\); give WAV, FLAC, Ogg, Opus or MP3$"),
        (empty, "empty, 0 bytes"),
        (long, "61 s long; cut it to 60 s$"),
    ):
        with pytest.raises(UserError, match=words):
            convert_upload(session, path, "bob", tmp_path, Progress())
        with pytest.raises(UserError, match=words):
            units.describe_upload(session, path, tmp_path, Progress())
        with pytest.raises(UserError, match=words):
            enroll_upload(session, path, "new", tmp_path, Progress())
    with pytest.raises(UserError, match="unknown speaker 'eve'"):
        convert_upload(session, text, "eve", tmp_path, Progress())


def test_one_sample_and_silence_are_converted(session: Session, tmp_path: Path) -> None:
    for count in (1, 1_600):
        write_waveform(tmp_path / "a.wav", np.zeros(count, np.float32))
        found = convert_upload(session, tmp_path / "a.wav", "bob", tmp_path, Progress())
        assert len(audio(found["converted"])) == count
        described = units.describe_upload(session, tmp_path / "a.wav", tmp_path, Progress())
        assert described["codes"]
        for each in (found, described):
            assert each["warning"] == "No speech was found in a.wav: was the microphone muted?"


def test_a_sample_of_a_voice_is_made_once(session: Session) -> None:
    found = voice_sample(session, "bob", Progress())
    assert len(audio(found["audio"])) == 3.5 * SAMPLE_RATE
    assert voice_sample(session, "bob", Progress()) is found
    with pytest.raises(UserError, match="unknown speaker"):
        voice_sample(session, "eve", Progress())


def test_an_enrolled_voice_is_the_first_of_all(session: Session, tmp_path: Path) -> None:
    path, progress = write_speech(tmp_path / "me.flac", 6.5), Progress()
    decoder = session.model.decoder.source_filter
    assert decoder is not None
    weights = {name: value.clone() for name, value in decoder.state_dict().items()}
    found = enroll_upload(session, path, " me ", tmp_path, progress, steps=3)
    assert [each["name"] for each in session.voices()] == ["me", "bob", "ada"]
    assert session.voices()[0]["about"].startswith("added")
    (tmp_path / "voice.safetensors").write_bytes(content(found["voice"]))
    assert load_voice(tmp_path / "voice.safetensors", session.model).f0 == pytest.approx(found["f0"], abs=0.6)
    assert not session.model.training and not session.model.encoder.training
    assert all((decoder.state_dict()[name] == value).all() for name, value in weights.items())
    assert convert_upload(session, path, "me", tmp_path, Progress())["speaker"] == "me"
    for name, words in (
        ("me", "name of another voice"),
        ("ada", "name of another voice"),
        ("own", "name of another voice"),
        (" ", "Give the new voice a name"),
        ("../x", "cannot name a file"),
    ):
        with pytest.raises(UserError, match=words):
            enroll_upload(session, path, name, tmp_path, Progress())


def test_too_little_speech_is_refused(session: Session, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"me.flac: .* s of speech; record at least 5 s"):
        enroll_upload(session, write_speech(tmp_path / "me.flac", 2), "me", tmp_path, Progress())
    write_waveform(tmp_path / "silent.flac", np.zeros(160_000, np.float32))
    with pytest.raises(UserError, match=r"silent.flac: nothing but silence"):
        enroll_upload(session, tmp_path / "silent.flac", "me", tmp_path, Progress())


def test_speech_is_generated_from_a_prior(session: Session, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs a prior; start the demo with --prior"):
        generation.generate_speech(session, "", 1.0, 0, tmp_path, Progress())
    session.prior = prior_of(session.model)
    found = generation.generate_speech(session, "bob", 0.5, 3, tmp_path, Progress())
    assert len(audio(found["audio"])) == SAMPLE_RATE // 2 and found["speaker"] == "bob"
    assert generation.generate_speech(session, "", 0.5, 3, tmp_path, Progress())["speaker"] in ("ada", "bob")
    for seconds in (0.0, -1.0, 11.0, float("nan")):
        with pytest.raises(UserError, match="more than 0"):
            generation.generate_speech(session, "", seconds, 0, tmp_path, Progress())


def test_units_of_a_recording(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_speech(tmp_path / "a.flac")
    found = units.describe_upload(session, path, tmp_path, Progress())
    assert found["codes"] == session.model.encode(read_waveform(path)).tolist()
    statistics = dict(found["statistics"])
    assert statistics["duration"] == "1.00 s" and statistics["codes, 100 per second"] == "100"
    assert 100 < int(statistics["median F0 of the whole recording"].removesuffix(" Hz")) < 170
    monkeypatch.setattr(units, "has_phones", lambda: False)
    assert units.describe_upload(session, path, tmp_path, Progress())["phones"] == ""


def test_cancelled_work_ends_at_its_next_step(session: Session, tmp_path: Path) -> None:
    path, progress = write_speech(tmp_path / "me.flac", 6.5), Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        enroll_upload(session, path, "me", tmp_path, progress)
    with pytest.raises(Cancelled):
        convert_upload(session, path, "bob", tmp_path, progress)
    assert "me" not in session.model.speakers and not session.model.training


def test_nothing_is_said_of_speakers_that_are_not_known() -> None:
    session = Session(speech_model(), Path("tiny"))
    assert [each["about"] for each in session.voices()] == ["", "", ""]


@pytest.mark.parametrize(
    ("requested", "name"),
    [
        ("a.wav", "a.wav"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\a b.mp3", "a b.mp3"),
        ("", "recording"),
        ("..", "recording"),
        (".wav", "wav"),
        ("a\nb\x00.wav", "a_nb_x00.wav"),
        ("x" * 300 + ".flac", "x" * 75 + ".flac"),
        ("großer Test.m4a", "großer Test.m4a"),
    ],
)
def test_names_of_uploads(requested: str, name: str) -> None:
    assert uploads.file_name(requested) == name
