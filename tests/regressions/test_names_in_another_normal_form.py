"""macOS writes "José" as "Jose" and an accent: the text of José was not found, nor the voice of José."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.audio_files import names, save_tiny_model, write_tone
from helpers.tiny import WAVENET, speech_model
from speechvq import align, convert, encode
from speechvq.alignment.directory import open_alignments
from speechvq.alignment.intervals import Interval, write_lab
from speechvq.audio.waveform import read_waveform
from speechvq.cli.sources import find_sources
from speechvq.data.codes_directory import open_codes
from speechvq.data.conversions import find_conversion_pairs
from speechvq.data.corpora import folder
from speechvq.data.manifest import Utterance, read_manifest, write_manifest
from speechvq.data.splits import SplitRule
from speechvq.errors import UserError
from speechvq.evaluate.aligned_codes import AlignedCodes
from speechvq.images.folder import class_names, find_images
from speechvq.io.names import existing
from speechvq.judges.resynthesis import find_resyntheses
from speechvq.speech.speakers.voice_file import Voice, add_voice_files, save_voice

NFC, NFD = "José", unicodedata.normalize("NFD", "José")
FORMS = [(NFC, NFD), (NFD, NFC)]


@pytest.mark.parametrize(("one", "other"), FORMS)
def test_sounds_texts_and_labels(one: str, other: str, tmp_path: Path) -> None:
    write_tone(tmp_path / f"audio/{one}/{one}.wav")
    for kind, content in (("txt", "words"), ("lab", "0 100 AA")):
        (tmp_path / kind / other).mkdir(parents=True)
        (tmp_path / kind / other / f"{other}.{kind}").write_text(content)
    (recording,) = folder.recordings(tmp_path).recordings
    assert (recording.utt, recording.speaker, recording.text) == (NFC, NFC, "words")
    assert recording.alignment and recording.alignment.parent.name == other
    sources = find_sources(tmp_path / "audio")
    tasks, problems = align.match_texts(sources, tmp_path / "txt", tmp_path / "out")
    assert [task.text.parent.name for task in tasks] == [other] and not problems
    assert find_sources(tmp_path / f"audio/{other}/{other}.wav") == [
        type(sources[0])(NFC, tmp_path / f"audio/{one}/{one}.wav")
    ]
    assert len(read_waveform(tmp_path / f"audio/{other}/{other}.wav"))


@pytest.mark.parametrize(("one", "other"), FORMS)
def test_codes_alignments_and_manifests(one: str, other: str, tmp_path: Path) -> None:
    (tmp_path / "codes").mkdir()
    (tmp_path / "codes/meta.json").write_text('{"frame_rate_hz": 50, "num_codes": 4}')
    np.save(tmp_path / f"codes/{one}.npy", np.arange(4))
    write_lab(tmp_path / f"lab/{other}.lab", [Interval(0.0, 0.08, "AA")])
    (tmp_path / "c.ctm").write_text(f"{other} 1 0 0.08 AA\n", encoding="utf-8")
    write_manifest(tmp_path / "m.tsv", [Utterance(other, other, "train", 1.0, tmp_path / f"{other}.wav")])
    manifest = {each.utt: each for each in read_manifest(tmp_path / "m.tsv")}
    for alignments in ("lab", "c.ctm"):
        corpus = AlignedCodes(
            open_codes(tmp_path / "codes"), open_alignments(tmp_path / alignments), manifest
        )
        assert corpus.names == [NFC] and corpus.labeled(NFC).speaker == NFC


@pytest.mark.parametrize(("one", "other"), FORMS)
def test_conversions(one: str, other: str, tmp_path: Path) -> None:
    write_tone(tmp_path / f"{one}/{other}.wav")
    utterance = Utterance(NFC, NFC, "train", 1.0, tmp_path / "a.wav")
    (pair,) = find_conversion_pairs(tmp_path, [utterance])
    assert (pair.target, pair.source) == (NFC, utterance)
    assert find_resyntheses([utterance], tmp_path) == {utterance: pair.path}


@pytest.mark.parametrize(("one", "other"), FORMS)
def test_voices(one: str, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = speech_model()
    save_voice(Path(f"{one}.safetensors"), Voice(torch.zeros(WAVENET.speaker_dim), 0.0), model)
    for target in (other, f"{other}.safetensors"):
        model = speech_model()
        add_voice_files(model, [unicodedata.normalize("NFC", target)])
        assert model.speakers[-1] == NFC and model.speaker_index(one) == model.speaker_index(other) == 3


def test_outputs_are_named_in_one_form(tmp_path: Path) -> None:
    model = save_tiny_model(tmp_path / "run")
    write_tone(tmp_path / f"in/{NFD}.wav")
    flags = ["--src", str(tmp_path / "in"), "--model", str(model)]
    assert encode.main([*flags, "--out", str(tmp_path / "codes")]) == 0
    assert convert.main([*flags, "--target-speaker", "ada", "--out", str(tmp_path / "out")]) == 0
    assert names(tmp_path / "codes") == {"meta.json", f"{NFC}.npy"}
    assert names(tmp_path / "out") == {f"ada/{NFC}.wav"}


def test_one_name_in_both_forms_is_refused(tmp_path: Path) -> None:
    for name in (NFC, NFD):
        write_tone(tmp_path / f"{name}.wav")
    with pytest.raises(UserError, match="their outputs would have the same name"):
        find_sources(tmp_path)
    rows = [f"{name}\tann\ttrain\t1\t{name}.wav" for name in (NFC, NFD)]
    (tmp_path / "manifest.tsv").write_text("\n".join(["utt\tspeaker\tsplit\tseconds\tpath", *rows]), "utf-8")
    with pytest.raises(UserError, match="appears twice"):
        read_manifest(tmp_path)
    assert existing(tmp_path / f"{NFD}.wav").name == f"{NFD}.wav", "the path on the disk comes first"


def test_unseen_speakers() -> None:
    from speechvq.data.splits import split_of

    assert split_of({"a": NFD, "b": "x"}, SplitRule(unseen_speakers=NFC))["a"] == "unseen"


def test_classes_of_images(tmp_path: Path) -> None:
    paths = [tmp_path / "train" / NFC / "a.png", tmp_path / "test" / NFD / "b.png"]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.touch()
    assert class_names(tmp_path, paths) == [NFC]
    assert {split: len(found) for split, found in find_images(tmp_path).items()} == {"train": 1, "test": 1}


def test_the_default_name_of_a_conversion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = save_tiny_model(tmp_path / "run")
    write_tone(tmp_path / f"{NFD}.wav")
    monkeypatch.chdir(tmp_path)
    assert convert.main(["--src", f"{NFC}.wav", "--model", str(model), "--target-speaker", "ada"]) == 0
    assert (tmp_path / f"{NFC}_ada.wav").is_file()
