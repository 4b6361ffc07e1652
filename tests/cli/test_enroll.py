"""Enrollment of a speaker: fitting, voice files, conversion, and recordings that are refused."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from helpers.audio_files import write_tone
from helpers.tiny import ROOT, SPEAKERS, WAVENET, noise, speech_config, speech_model
from speechvq import convert, enroll
from speechvq.audio.waveform import SAMPLE_RATE, read_waveform
from speechvq.cli.sources import Source
from speechvq.config import SourceFilterConfig
from speechvq.errors import UserError
from speechvq.speech.model import SpeechVQ, load_model
from speechvq.speech.model_directory import save_model
from speechvq.speech.speakers.enrollment_audio import prepare_enrollment_audio
from speechvq.speech.speakers.voice_file import Voice, add_voice, load_voice, save_voice
from speechvq.training import loop
from speechvq.training.checkpoint import TrainingState, list_checkpoints
from speechvq.training.tasks import enrollment

CONDITIONED = speech_config(
    wavenet=dataclasses.replace(WAVENET, condition_on_f0=True, condition_on_phase=True),
    source_filter=SourceFilterConfig(filter_order=4, num_harmonics=3, channels=8),
)
TONE = (0.1 * np.sin(240 * np.pi * np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE)).astype(np.float32)  # 2 s


def pulses(seconds: float, hertz: float) -> np.ndarray:
    """A synthetic voice: pulses through one resonance, and some noise."""
    from scipy.signal import lfilter

    rng, samples = np.random.default_rng(0), round(seconds * SAMPLE_RATE)
    clicks = np.diff(np.floor(np.arange(samples + 1) * hertz / SAMPLE_RATE))
    wave = lfilter([1.0], [1.0, -1.6, 0.9], clicks) * 0.02 + 0.001 * rng.standard_normal(samples)
    return wave.astype(np.float32)


def write(path: Path, wave: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, SAMPLE_RATE)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that is conditioned on F0."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model")
    save_model(path, SpeechVQ(CONDITIONED, SPEAKERS).eval())
    return path


@pytest.mark.parametrize("config", [CONDITIONED, speech_config()])
def test_fitting_lowers_the_loss_and_leaves_the_model_unchanged(config: object, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = SpeechVQ(config, SPEAKERS).eval()  # type: ignore[arg-type]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = enrollment.enroll(model, [pulses(4, 130)], steps=40, run=tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [(line["stage"], line["step"]) for line in lines] == [("enrollment", 40)]
    assert found.after < found.before and found.nearest in SPEAKERS
    assert found.voice.embedding.shape == (WAVENET.speaker_dim,) and found.voice.f0 == pytest.approx(
        130, rel=0.1
    )
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    again = enrollment.enroll(model, [pulses(4, 130)], steps=40)
    assert torch.equal(again.voice.embedding, found.voice.embedding), "seeded"


@pytest.mark.parametrize("config", [CONDITIONED, speech_config()])
def test_unfreezing_the_decoder_changes_the_decoder_only(config: object) -> None:
    torch.manual_seed(0)
    model, plain = (SpeechVQ(config, SPEAKERS).eval() for _ in range(2))  # type: ignore[arg-type]
    plain.load_state_dict(model.state_dict())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = enrollment.enroll(model, [pulses(4, 130)], steps=40, tune=True)
    assert found.before == enrollment.enroll(plain, [pulses(4, 130)], steps=1).before > found.after
    for name, tensor in model.state_dict().items():
        if not name.startswith("decoder.") or name.endswith("conditioning.speaker_embedding.weight"):
            assert torch.equal(tensor, before[name]), name
    assert not torch.equal(model.decoder.wavenet.hidden.weight, before["decoder.wavenet.hidden.weight"])


def test_a_voice_file_belongs_to_one_model(tmp_path: Path) -> None:
    model, voice = speech_model(), Voice(torch.randn(WAVENET.speaker_dim), 123.5)
    save_voice(tmp_path / "me.safetensors", voice, model)
    back = load_voice(tmp_path / "me.safetensors", model)
    assert torch.equal(back.embedding, voice.embedding) and back.f0 == voice.f0
    with pytest.raises(UserError, match="another model"):
        load_voice(tmp_path / "me.safetensors", speech_model(seed=1))
    with pytest.raises(UserError, match="not a voice"):
        save_model(tmp_path / "model", model)
        load_voice(tmp_path / "model" / "model.safetensors", model)


def test_adding_a_speaker_leaves_the_others_unchanged() -> None:
    model, wave = speech_model(), noise(1, 200)[0].numpy()
    before, table = (
        model.convert(wave, "bob", seed=1),
        model.decoder.wavenet.conditioning.speaker_embedding.weight,
    )
    add_voice(model, "me", Voice(table[1].detach().clone(), 99.0))
    assert model.speakers == (*SPEAKERS, "me") and float(model.speaker_f0[-1]) == 99.0
    assert np.array_equal(model.convert(wave, "bob", seed=1), before)
    assert np.array_equal(model.convert(wave, "me", seed=1), before), (
        "the same embedding gives the same voice"
    )
    add_voice(model, "me", Voice(table[0].detach().clone(), 0.0))
    assert len(model.speakers) == 4 and np.array_equal(
        model.convert(wave, "me", seed=1), model.convert(wave, "ada", seed=1)
    )


def test_from_a_recording_to_a_conversion(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "talk" / "a.wav", pulses(4, 120))
    write(tmp_path / "talk" / "b.wav", pulses(4, 125))
    flags = ["--name", "me", "--audio", "talk", "--model", str(folder), "--steps", "5"]
    assert enroll.main(flags) == 0
    out = capsys.readouterr()
    assert "bits per sample (lower is better)" in out.out and out.out.splitlines()[-1] == "me.safetensors"
    assert "only 8.0 s of speech" in out.err or "only 7." in out.err
    source = write_tone(tmp_path / "a.wav", samples=500)
    common = ["--model", str(folder), "--src", str(source)]
    assert convert.main([*common, "--target-speaker", "me", "--out", "b.wav"]) == 0
    assert (
        convert.main([*common, "--target-speaker", str(tmp_path / "me.safetensors"), "--out", "c.wav"]) == 0
    )
    assert np.array_equal(read_waveform(tmp_path / "b.wav"), read_waveform(tmp_path / "c.wav"))
    assert load_model(folder).speakers == SPEAKERS, "the model on disk is unchanged"
    capsys.readouterr()
    assert convert.main([*common, "--target-speaker", "mee", "--out", "d.wav"]) == 2
    assert "unknown speaker 'mee'" in capsys.readouterr().err


def test_a_fine_tuned_model_is_written_as_a_model(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "talk.wav", pulses(8, 120))
    flags = [
        "--name",
        "me",
        "--audio",
        "talk.wav",
        "--model",
        str(folder),
        "--steps",
        "5",
        "--unfreeze",
        "decoder",
    ]
    assert enroll.main(flags) == 0 and capsys.readouterr().out.splitlines()[-1] == "me"
    assert load_model("me").speakers == (*SPEAKERS, "me") and load_model(folder).speakers == SPEAKERS
    source = write_tone(tmp_path / "a.wav", samples=500)
    assert (
        convert.main(["--model", "me", "--src", str(source), "--target-speaker", "me", "--out", "b.wav"]) == 0
    )


@pytest.mark.parametrize(
    "wave, message",
    [
        (np.zeros(10 * SAMPLE_RATE, np.float32), "nothing but silence"),
        (np.sign(pulses(8, 120)), "samples are clipped"),
        (pulses(2, 120), "record at least 5 s of speech"),
        (np.pad(TONE, 3 * SAMPLE_RATE), "s of speech; record at least 5 s"),
    ],
)
def test_unusable_recordings_are_refused(
    wave: np.ndarray, message: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "a.wav", wave)
    out = tmp_path / "me.safetensors"
    assert enroll.main(["--name", "me", "--audio", str(path), "--model", str(folder), "--out", str(out)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]  # lines before it may say how a file was read
    assert error.startswith("speechvq.enroll: error: ") and message in error and not out.exists()


def test_a_short_recording_is_refused_before_torch_is_loaded(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", pulses(2, 120))
    code = (
        "import sys; from speechvq import enroll\n"
        "assert enroll.main(['--name', 'me', '--audio', 'a.wav']) == 2 and 'torch' not in sys.modules\n"
    )
    variables = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert done.stderr == "speechvq.enroll: error: a.wav: 2.0 s; record at least 5 s of speech\n"


@pytest.mark.parametrize(
    "flags", [["--name", "../me"], ["--name", "me", "--minutes", "0"], ["--name", "me", "--steps", "0"]]
)
def test_flags_out_of_range_are_refused(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert enroll.main([*flags, "--audio", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_warnings_for_two_speakers_and_whispers() -> None:
    two = prepare_enrollment_audio([pulses(12, 100), pulses(12, 220)], max_seconds=60)
    assert any("more than one person" in each for each in two.warnings)
    one = prepare_enrollment_audio([pulses(12, 100), pulses(12, 105)], max_seconds=60)
    assert not one.warnings and one.seconds == pytest.approx(24, abs=0.5)
    hiss = prepare_enrollment_audio(
        [0.05 * np.random.default_rng(0).standard_normal(25 * SAMPLE_RATE).astype(np.float32)], max_seconds=60
    )
    assert any("voiced" in each for each in hiss.warnings)
    assert prepare_enrollment_audio([pulses(12, 100)], max_seconds=6).seconds == pytest.approx(6, abs=0.01)


@pytest.mark.parametrize("unfreeze", [[], ["--unfreeze", "decoder"]])
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_enrollment_ends_like_an_unbroken_one(
    folder: Path, tmp_path: Path, signum: signal.Signals, unfreeze: list[str]
) -> None:
    path = write(tmp_path / "talk.wav", pulses(8, 120))
    flags = ["--name", "me", "--audio", str(path), "--model", str(folder), "--steps", "24", *unfreeze]
    assert enroll.main([*flags, "--out", str(tmp_path / "unbroken")]) == 0
    child = os.fork()
    if child == 0:
        stop_at_step(22, signum)
        os._exit(enroll.main([*flags, "--out", str(tmp_path / "stopped")]))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == (-signum if signum == signal.SIGKILL else 128 + signum)
    run = tmp_path / "stopped.enrollment"
    saved = 20 if signum == signal.SIGKILL else 23
    assert [each.name for each in list_checkpoints(run)][-1] == f"stage_0_step_{saved}"
    assert not (tmp_path / "stopped").exists()
    assert enroll.main([*flags, "--out", str(tmp_path / "stopped")]) == 0
    assert not run.exists()
    one, other = (tmp_path / name for name in ("unbroken", "stopped"))
    if unfreeze:
        one, other = one / "model.safetensors", other / "model.safetensors"
    assert one.read_bytes() == other.read_bytes()


def stop_at_step(step: int, signum: signal.Signals) -> None:
    """Send this process a signal during an update."""
    plain = loop.update

    def update(state: TrainingState, *rest: object) -> object:
        if state.step == step:
            os.kill(os.getpid(), signum)
        return plain(state, *rest)  # type: ignore[arg-type]

    loop.update = update  # type: ignore[assignment]


def test_an_enrollment_with_other_settings_starts_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(0)
    model, wave = SpeechVQ(speech_config(), SPEAKERS).eval(), pulses(4, 130)
    enrollment.enroll(model, [wave], steps=3, run=tmp_path)
    found = enrollment.enroll(model, [wave], steps=4, seed=1, run=tmp_path)
    assert "other settings (steps, seed); starting again" in caplog.text
    plain = enrollment.enroll(model, [wave], steps=4, seed=1)
    assert torch.equal(found.voice.embedding, plain.voice.embedding)


@pytest.mark.parametrize(
    ("files", "line"),
    [
        (["ann/1", "ann/2", "ben/1", "ben/2"], "subfolders ann, ben; if these are several people"),
        (["p225_1", "p225_2", "p226_1", "p226_2"], "file names begin with p225, p226; if these are several"),
        (["ann/1", "ann/2", "3"], ""),
        (["one", "two", "three"], ""),
    ],
)
def test_a_folder_of_several_people_is_doubted(
    files: list[str], line: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sources = [Source(name, tmp_path / f"{name}.wav") for name in files]
    enroll._check_one_person(tmp_path, sources)
    assert (line in caplog.text) if line else not caplog.text


def test_a_manifest_of_several_speakers_is_refused(tmp_path: Path) -> None:
    sources = [Source(f"{i}", tmp_path, speaker) for i, speaker in enumerate("aabcdefg")]
    with pytest.raises(UserError, match="recordings of a, b, c, d, e and 2 more; give those of one person"):
        enroll._check_one_person(tmp_path, sources)
