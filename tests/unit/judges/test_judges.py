"""Judges beside the first measurements: with stand-ins whose answers are known, or with PocketSphinx."""

import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from helpers.voices import make_voices, speech
from speechvq import evaluate
from speechvq.audio.waveform import read_waveform, write_waveform
from speechvq.data.conversions import ConversionPair, EvaluationFold, find_conversion_pairs, select_references
from speechvq.data.manifest import Utterance, read_manifest
from speechvq.errors import UserError
from speechvq.judges.intelligibility import (
    CachedPhoneRecognizer,
    PhoneErrorRate,
    ResynthesisDistance,
    WordErrorRate,
)
from speechvq.judges.metric import ConversionExample
from speechvq.judges.selection import select_metrics
from speechvq.judges.speaker_embedding import SpeakerEncoder
from speechvq.judges.speech_quality import DnsmosModel
from speechvq.judges.voice import SpeakerSimilarity, SpeechQuality


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_voices(tmp_path_factory.mktemp("voices"), sentences=4)


def job(source: str = "ann", target: str = "ben", utt: str = "ann_0") -> ConversionPair:
    return ConversionPair(
        target, Utterance(utt, source, "test", 1.0, Path(f"{utt}.flac")), Path(f"{utt}.wav")
    )


@pytest.fixture
def resemblyzer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in whose embedding is the balance of the ranges of low and high voices."""

    class VoiceEncoder:
        def __init__(self, device: str, verbose: bool) -> None:
            assert device == "cpu" and not verbose

        def embed_utterance(self, wave: np.ndarray) -> np.ndarray:
            power = np.abs(np.fft.rfft(wave, 16_000)) ** 2
            return np.array([power[80:160].sum(), power[160:180].sum(), power[180:260].sum()])

    stand_in = types.ModuleType("resemblyzer")
    stand_in.VoiceEncoder = VoiceEncoder  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "resemblyzer", stand_in)


@pytest.fixture
def speechmos(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in whose opinion is the share of silence, so that noise is bad."""
    stand_in, package = types.ModuleType("speechmos.dnsmos"), types.ModuleType("speechmos")

    def run(wave: np.ndarray, rate: int) -> dict[str, float]:
        assert rate == 16_000 and np.abs(wave).max() <= 1
        return {"ovrl_mos": 1 + 4 * float(np.mean(np.abs(wave) < 1e-3))}

    package.dnsmos, stand_in.run = stand_in, run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "speechmos", package)
    monkeypatch.setitem(sys.modules, "speechmos.dnsmos", stand_in)


def test_phones_of_the_same_sentence_are_nearer_than_anothers(spoken: Path) -> None:
    one, other = (read_waveform(spoken / "audio" / "m01" / f"m01_00{i}.flac") for i in (1, 3))
    judge = PhoneErrorRate(CachedPhoneRecognizer())
    judge.update(ConversionExample(job(), one, one, None, other))
    (figure,) = judge.compute()
    assert (figure.mean, figure.count, figure.source_baseline) == (0.0, 1, 0.0) and figure.chance > 0.5
    judge.update(ConversionExample(job(), one, other, None, None))
    assert judge.compute()[0].mean == pytest.approx(figure.chance / 2)


def test_a_sound_is_heard_once(monkeypatch: pytest.MonkeyPatch) -> None:
    phones, calls = CachedPhoneRecognizer(), []
    monkeypatch.setattr(phones._recogniser, "phones", lambda wave: calls.append(len(wave)) or ["AA"])
    assert phones(np.zeros(3)) == phones(np.zeros(3)) == phones(np.ones(3)) == ["AA"] and calls == [3, 3]


def test_resynthesis_is_found_by_name_and_heard_once(tmp_path: Path) -> None:
    waves = {name: speech("ann", seed) for seed, name in enumerate(("ann_0", "ann_1", "ann_2"))}
    write_waveform(tmp_path / "ann" / "ann_0.wav", waves["ann_0"])
    write_waveform(tmp_path / "ben" / "ann_0.wav", waves["ann_2"])  # a conversion beside it
    write_waveform(tmp_path / "ann_1.wav", 0.5 * waves["ann_1"])
    jobs = [job(utt=name) for name in waves]
    judge = ResynthesisDistance(tmp_path, jobs, phones=lambda wave: [f"{wave[500]:.3f}"])  # type: ignore[arg-type]
    for name in ("ann_0", "ann_0", "ann_1", "ann_2"):
        judge.update(ConversionExample(job(utt=name), waves[name], waves[name], None, waves["ann_2"]))
    figures = {figure.name: figure for figure in judge.compute()}
    assert {figure.count for figure in figures.values()} == {2} and len(figures) == 3
    for name in ("log_mel_distance_db", "mel_cepstral_distortion_db"):
        figure = figures[f"resynthesis_{name}"]
        assert figure.mean < 0.2 < 2 < figure.chance and figure.source_baseline == 0 and figure.unit == "dB"
    assert figures["resynthesis_phone_error_rate"].mean == 0.5  # the level is not the same


def test_resynthesis_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        ResynthesisDistance(tmp_path / "nothing", [job()], phones=None)
    with pytest.raises(
        UserError, match="holds none of the sources"
    ):  # at once, not after an hour of measuring
        ResynthesisDistance(tmp_path, [job()], phones=None)


def test_embedding(voices: Path, resemblyzer: None) -> None:
    utterances = read_manifest(voices)
    references = {name: [u for u in utterances if u.speaker == name][:2] for name in ("ann", "ben")}
    judge = SpeakerSimilarity([EvaluationFold([job(), job(target="ann")], references, [])])
    judge.update(ConversionExample(job(), speech("ann", 9), speech("ben", 9), speech("ben", 10), None))
    judge.update(ConversionExample(job(target="ann"), speech("ann", 9), speech("ann", 9), None, None))
    wins, cosine = judge.compute()
    assert (wins.mean, wins.count, wins.chance, wins.source_baseline, wins.target_reference) == (
        1,
        1,
        0.5,
        0,
        1,
    )
    assert cosine.count == 2 and cosine.mean > 0.9 > cosine.chance and cosine.target_reference > cosine.chance


def test_opinion(speechmos: None) -> None:
    judge = SpeechQuality()
    quiet = np.pad(speech("ann", 9), 40_000)
    judge.update(ConversionExample(job(), quiet, speech("ben", 9), None, None))
    (figure,) = judge.compute()
    assert figure.chance < figure.mean < figure.source_baseline and np.isnan(figure.target_reference)
    assert np.isnan(DnsmosModel().overall_score(np.zeros(0)))


class Recogniser:
    """Hears what was written for each loudness."""

    def transcribe(self, wave: np.ndarray) -> str:
        return {1: "the cat sat", 2: "a cat"}[round(float(wave[0]))]


def test_words(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "ann_0.txt").write_text("The cat sat!")
    (tmp_path / "ann_1.txt").write_text("A cat.")
    jobs = [job(utt="ann_0"), job(utt="ann_1")]
    judge = WordErrorRate(tmp_path, jobs, Recogniser())  # type: ignore[arg-type]
    judge.update(ConversionExample(jobs[0], np.full(9, 1.0), np.full(9, 2.0), None, None))
    (figure,) = judge.compute()
    assert figure.mean == pytest.approx(2 / 3) and figure.source_baseline == 0 and figure.chance == 0
    with pytest.raises(UserError, match=r"no ann_2.txt there"):
        WordErrorRate(tmp_path, [job(utt="ann_2")], Recogniser())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("module", "make", "extra"),
    [("resemblyzer", SpeakerEncoder, "speakers"), ("speechmos", DnsmosModel, "quality")],
)
def test_without_the_library_the_remedy_is_named(
    module: str, make: type, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=rf"pip install 'speechvq\[{extra}\]'"):
        make()


def test_who_is_missing_is_said_and_others_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pocketsphinx", "resemblyzer", "speechmos"):
        monkeypatch.setitem(sys.modules, module, None)
    write_waveform(tmp_path / f"{job().source.utt}.wav", np.zeros(9))
    judges, left_out = select_metrics([EvaluationFold([job()], {}, [])], resynthesis=tmp_path)
    assert [type(judge) for judge in judges] == [ResynthesisDistance]
    assert [line.partition(":")[0] for line in left_out] == ["left out"] * 3


def test_the_command_prints_and_writes_what_judges_say(
    voices: Path, tmp_path: Path, resemblyzer: None, speechmos: None, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, seed in (("ann_3", 3), ("ben_3", 103)):
        write_waveform(tmp_path / "converted" / "cay" / f"{name}.wav", speech("cay", seed))
        write_waveform(tmp_path / "again" / f"{name}.wav", speech(name[:3], seed))
    utterances = read_manifest(voices)
    assert (
        len(select_references(utterances, find_conversion_pairs(tmp_path / "converted", utterances), 2)) == 3
    )
    flags = {"--converted": tmp_path / "converted", "--manifest": voices, "--references": 2,
             "--resynthesis": tmp_path / "again", "--json": tmp_path / "scores.json"}  # fmt: skip
    assert evaluate.main(["conversion", *(str(part) for pair in flags.items() for part in pair)]) == 0
    printed = capsys.readouterr().out
    assert "left out" not in printed
    summary = json.loads((tmp_path / "scores.json").read_text())["summary"]
    for name in ("phone_error_rate", "embedding_target_preferred", "embedding_cosine", "dnsmos_overall", "f0_shift_ratio",
                 "resynthesis_log_mel_distance_db", "resynthesis_mel_cepstral_distortion_db"):  # fmt: skip
        assert summary[name]["label"] in printed and summary[name]["count"] <= 2
    assert summary["f0_shift_ratio"]["mean"] == pytest.approx(1, abs=0.1)
    cepstra = summary["resynthesis_mel_cepstral_distortion_db"]
    assert cepstra["mean"] < cepstra["chance"]


def test_texts_that_are_missing_cost_one_line(
    voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_waveform(tmp_path / "converted" / "cay" / "ann_3.wav", speech("cay", 3))
    flags = {"--converted": tmp_path / "converted", "--manifest": voices, "--wer": tmp_path}
    assert evaluate.main(["conversion", *(str(part) for pair in flags.items() for part in pair)]) == 2
    assert "no ann_3.txt there, nor below" in capsys.readouterr().err
