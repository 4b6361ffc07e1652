"""`evaluate stages`: rows of every stage, reuse of sounds and scores, and one line for every mistake."""

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.live_model import live_model
from helpers.synthetic_speech import make_speech_corpus
from helpers.tiny import WAVENET, speech_config, speech_model
from speechvq import evaluate
from speechvq.audio.lossy_copy import lossy_copy
from speechvq.audio.waveform import read_waveform
from speechvq.config import SourceFilterConfig
from speechvq.data.manifest import read_manifest
from speechvq.evaluate.stages import STAGE_NAMES, sounds, synthesis
from speechvq.judges import sound_judges
from speechvq.results.stages import StagesResult
from speechvq.speech.model import SpeechVQ


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of ann, ben and cay with texts."""
    folder = make_speech_corpus(tmp_path_factory.mktemp("voices"), sentences=2)
    (folder / "txt").mkdir()
    for name in ("ann", "ben", "cay"):
        for i in range(2):
            (folder / "txt" / f"{name}_{i}.txt").write_text(f"Sentence {i} of {name}.")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory with a source-filter model and the speaker cay."""
    torch.manual_seed(0)
    wavenet = dataclasses.replace(WAVENET, condition_on_f0=True, condition_on_phase=True)
    filters = SourceFilterConfig(filter_order=4, num_harmonics=4, mel_bands=20, channels=4)
    model = SpeechVQ(speech_config(wavenet=wavenet, source_filter=filters), ["bob", "cay"]).eval()
    model.speaker_f0.fill_(165.0)
    model.save_pretrained(folder := tmp_path_factory.mktemp("model"))
    return folder


@pytest.fixture(autouse=True)
def quality_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The only judge scores the RMS of the sound."""
    for module in ("resemblyzer", "speechmos", "faster_whisper"):
        monkeypatch.setitem(sys.modules, module, None)

    class Quality:
        def overall_score(self, wave: np.ndarray) -> float:
            return float(np.sqrt(np.mean(wave**2)))

    monkeypatch.setattr(sound_judges, "DistillMosModel", Quality)


def run(*arguments: str | Path) -> int:
    return evaluate.main(["stages", *map(str, arguments)])


def flags(voices: Path, model: Path, out: Path, *more: str | Path) -> list[str | Path]:
    return ["--model", model, "--manifest", voices, "--targets", "cay", "--out", out, *more]


def test_every_stage_has_a_row_and_the_work_is_done_once(
    voices: Path,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = flags(voices, model, tmp_path, "--limit", "2", "--seeds", "2", "--json", tmp_path / "a.json")
    assert run(*call) == 0
    printed = capsys.readouterr().out
    result = StagesResult.load(tmp_path / "a.json")
    assert [each.stage for each in result.stages] == ["recordings", *STAGE_NAMES]
    assert [each.label for each in result.differences] == [each.added for each in synthesis.STAGES[2:-1]]
    assert len(result.sounds) == 2 + 4 * 2 * 2 and result.sentences == 2
    for each in (*result.stages, *result.differences):
        assert each.label in printed and set(each.metrics) >= {"distillmos"}
    assert printed.count("left out: ") == 3 and "pip install 'speechvq[quality]'" in printed
    assert (tmp_path / "codes/cay/ann_0.wav").is_file() and (tmp_path / "codes/cay/ann_0.seed1.wav").is_file()

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr(synthesis, "convert_with_noise", fail)
    monkeypatch.setattr(SpeechVQ, "convert", fail)
    monkeypatch.setattr(sound_judges.SoundJudges, "scores", fail)
    assert run(*call[:-1], tmp_path / "b.json") == 0
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_a_changed_model_is_measured_again(voices: Path, model: Path, tmp_path: Path) -> None:
    changed = SpeechVQ.from_pretrained(model)
    key = sounds.SoundKey("codes", synthesis.Sentence(_utterance(voices), "cay"), 0)
    before = sounds.StoredSounds(tmp_path, sounds.weights_digest(changed))
    before.write(key, np.zeros(100))
    changed.decoder.wavenet.logits.bias.data += 1  # what a digest of the codebook alone would not see
    after = sounds.StoredSounds(tmp_path, sounds.weights_digest(changed))
    assert before.is_made(key) and not after.is_made(key)
    judged = iter(range(9))
    values = [
        before.scores(key, np.zeros(100), judges, lambda: ({"x": float(next(judged))}, ""))
        for judges in ("a", "a", "b")
    ]
    assert values == [({"x": 0.0}, ""), ({"x": 0.0}, ""), ({"x": 1.0}, "")]
    before.path(key).with_suffix(".json").write_text("[half a fi")
    assert not before.is_made(key)


def _utterance(voices: Path):  # type: ignore[no-untyped-def]
    return read_manifest(voices)[0]


def test_a_model_without_source_filter_has_two_rows(
    voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = speech_model()
    model.save_pretrained(tmp_path / "model")
    call = ["--model", tmp_path / "model", "--manifest", voices, "--targets", "ada", "--limit", "1"]
    assert run(*call, "--out", tmp_path / "out", "--json", tmp_path / "r.json") == 0
    assert (
        "left out: spectra, vectors, codes: the model has no source-filter model" in capsys.readouterr().out
    )
    read = json.loads((tmp_path / "r.json").read_text())
    assert [each["stage"] for each in read["stages"]] == ["recordings", "conversion"]
    assert read["differences"][0]["label"] == "conversion after recordings"


def test_a_lossy_copy_is_measured_on_request(
    voices: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = flags(voices, model, tmp_path, "--stages", "lossy,spectra", "--limit", "1", "--seeds", "2")
    assert run(*call, "--json", tmp_path / "r.json") == 0
    result = StagesResult.load(tmp_path / "r.json")
    assert [each.stage for each in result.stages] == ["recordings", "lossy", "spectra"]
    assert [(each.label, each.before) for each in result.differences] == [
        ("a lossy codec", "recordings"),
        ("source-filter synthesis", "recordings"),
    ]
    assert "their copy by Opus, 24 kbit/s" in capsys.readouterr().out
    [copy] = (tmp_path / "lossy/cay").glob("*.wav")  # one, whatever the number of seeds
    [path] = [each.path for each in read_manifest(voices) if each.utt == copy.stem]
    wave, recording = read_waveform(copy), read_waveform(path)
    assert np.allclose(wave, lossy_copy(recording), atol=1e-4) and not np.allclose(wave, recording, atol=1e-3)


def test_the_stream_is_measured_on_request(
    voices: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    live_model().save_pretrained(tmp_path / "live")
    call = [
        "--manifest",
        voices,
        "--limit",
        "2",
        "--stages",
        "conversion,live",
        "--json",
        tmp_path / "r.json",
    ]
    assert run("--model", tmp_path / "live", "--targets", "bob", "--out", tmp_path / "a", *call) == 0
    result = StagesResult.load(tmp_path / "r.json")
    assert [each.stage for each in result.stages] == ["recordings", "conversion", "live"]
    assert result.differences[-1].label == "no knowledge of later speech"
    assert run("--model", model, "--targets", "cay", "--out", tmp_path / "b", *call) == 0
    assert "left out: live: this model does not run live; it lacks a vocoder" in capsys.readouterr().out
    stages = [each.stage for each in StagesResult.load(tmp_path / "r.json").stages]
    assert stages == ["recordings", "conversion"]


def test_mistakes_are_one_line(
    voices: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one_speaker = make_speech_corpus(tmp_path / "bare", sentences=1)
    lines = (one_speaker / "manifest.tsv").read_text().splitlines(keepends=True)
    (one_speaker / "manifest.tsv").write_text(lines[0] + next(line for line in lines if "cay" in line))
    (tmp_path / "nothing").mkdir()
    out = tmp_path / "out"
    for call, message in (
        (flags(voices, model, out, "--targets", "zoe"), "unknown speaker 'zoe'"),
        (flags(voices, model, out, "--stages", "pitch"), "there is no 'pitch'; there are spectra"),
        (flags(one_speaker, model, out), "every recording is by a target (cay)"),
        (flags(one_speaker, model, out, "--targets", "bob", "--whisper", "base"), "no texts in txt/"),
        (flags(voices, model, out, "--whisper", "base", "--texts", tmp_path / "nothing"), "no ann_0.txt"),
        (flags(voices, tmp_path / "nothing", out), "nothing"),
    ):
        assert run(*call) == 2
        complaint = capsys.readouterr().err
        assert complaint.startswith("speechvq.evaluate stages: error: ") and message in complaint
        assert complaint.count("\n") == 1
    assert not out.exists()
