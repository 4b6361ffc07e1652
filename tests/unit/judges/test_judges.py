"""Conversion metrics that need a network, with stub networks of known output."""

import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from helpers.synthetic_speech import make_speech_corpus, speech
from speechvq import evaluate
from speechvq.audio.waveform import write_waveform
from speechvq.data.conversions import ConversionPair, EvaluationFold, find_conversion_pairs, select_references
from speechvq.data.manifest import Utterance, read_manifest
from speechvq.errors import UserError
from speechvq.judges.metric import ConversionExample, by_content
from speechvq.judges.phone_error_rate import PhoneErrorRate
from speechvq.judges.resynthesis import ResynthesisDistance
from speechvq.judges.selection import WordSettings, select_metrics
from speechvq.judges.speaker_embedding import SpeakerEncoder
from speechvq.judges.speaker_similarity import SpeakerSimilarity
from speechvq.judges.speech_quality import DnsmosModel, dnsmos
from speechvq.judges.word_error_rate import WordErrorRate, read_texts


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_speech_corpus(tmp_path_factory.mktemp("voices"), sentences=4)


def make_pair(source: str = "ann", target: str = "ben", utt: str = "ann_0") -> ConversionPair:
    return ConversionPair(
        target, Utterance(utt, source, "test", 1.0, Path(f"{utt}.flac")), Path(f"{utt}.wav")
    )


@pytest.fixture
def resemblyzer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stub whose embedding is the power in three bands around the F0 of the test speakers."""

    class VoiceEncoder:
        def __init__(self, device: str, verbose: bool) -> None:
            assert device == "cpu" and not verbose

        def embed_utterance(self, wave: np.ndarray) -> np.ndarray:
            power = np.abs(np.fft.rfft(wave, 16_000)) ** 2
            return np.array([power[80:160].sum(), power[160:180].sum(), power[180:260].sum()])

    stub = types.ModuleType("resemblyzer")
    stub.VoiceEncoder = VoiceEncoder  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "resemblyzer", stub)


@pytest.fixture
def speechmos(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stub whose score is the fraction of silent samples, so that noise scores low."""
    stub, package = types.ModuleType("speechmos.dnsmos"), types.ModuleType("speechmos")

    def run(wave: np.ndarray, rate: int) -> dict[str, float]:
        assert rate == 16_000 and np.abs(wave).max() <= 1
        return {"ovrl_mos": 1 + 4 * float(np.mean(np.abs(wave) < 1e-3))}

    package.dnsmos, stub.run = stub, run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "speechmos", package)
    monkeypatch.setitem(sys.modules, "speechmos.dnsmos", stub)
    monkeypatch.setitem(sys.modules, "distillmos", None)


@pytest.fixture
def hama(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stub that recognizes a phone for each band with much power."""

    class ASRModel:
        def __call__(self, wave: np.ndarray, rate: int) -> types.SimpleNamespace:
            power = np.abs(np.fft.rfft(wave, 16_000)) ** 2
            bands = [power[low : low + 200].sum() for low in range(200, 3200, 600)]
            order = np.argsort(bands)
            return types.SimpleNamespace(phonemes=["aiuəp"[i] for i in order])

    stub = types.ModuleType("hama")
    stub.ASRModel = ASRModel  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "hama", stub)


def test_phone_error_rate() -> None:
    phones = {1: ["K", "AE", "T"], 2: ["K", "AE", "P"], 3: ["D", "AO", "G"]}
    source, converted, other = (np.full(9, number) for number in phones)
    metric = PhoneErrorRate(lambda wave: phones[int(wave[0])])
    metric.update(ConversionExample(make_pair(), source, converted, None, other, lossy_copy=source))
    (summary,) = metric.compute()
    assert summary.mean == pytest.approx(1 / 3) and (summary.chance, summary.lossy_copy) == (1, 0)
    assert summary.source_baseline == 0 and summary.num_values == 1
    metric.update(ConversionExample(make_pair(), source, other, None, None))
    assert metric.compute()[0].mean == pytest.approx(2 / 3)


def test_a_judge_measures_equal_waveforms_once() -> None:
    calls: list[int] = []

    @by_content
    def length(wave: np.ndarray) -> int:
        calls.append(len(wave))
        return len(wave)

    assert [length(np.zeros(3)), length(np.zeros(3)), length(np.ones(3))] == [3, 3, 3] and len(calls) == 2


def test_resynthesis_is_found_by_name_and_measured_once(tmp_path: Path) -> None:
    waves = {name: speech("ann", seed) for seed, name in enumerate(("ann_0", "ann_1", "ann_2"))}
    waves = {name: wave - wave.mean() for name, wave in waves.items()}  # as reading a recording does
    write_waveform(tmp_path / "ann" / "ann_0.wav", waves["ann_0"])
    write_waveform(tmp_path / "ben" / "ann_0.wav", waves["ann_2"])  # a conversion beside it
    write_waveform(tmp_path / "ann_1.wav", 0.5 * waves["ann_1"])
    pairs = [make_pair(utt=name) for name in waves]
    metric = ResynthesisDistance(tmp_path, pairs, recognizer=lambda wave: [f"{wave[500]:.3f}"])  # type: ignore[arg-type]
    for name in ("ann_0", "ann_0", "ann_1", "ann_2"):
        metric.update(ConversionExample(make_pair(utt=name), waves[name], waves[name], None, waves["ann_2"]))
    summaries = {each.name: each for each in metric.compute()}
    assert {each.num_values for each in summaries.values()} == {2} and len(summaries) == 3
    for name in ("log_mel_distance_db", "mel_cepstral_distortion_db"):
        summary = summaries[f"resynthesis_{name}"]
        assert (
            summary.mean < 0.2 < 2 < summary.chance and summary.source_baseline == 0 and summary.unit == "dB"
        )
    assert summaries["resynthesis_phone_error_rate"].mean == 0.5  # the level is not the same


def test_missing_resynthesis(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        ResynthesisDistance(tmp_path / "nothing", [make_pair()], recognizer=None)
    with pytest.raises(UserError, match="holds none of the sources"):  # before anything is measured
        ResynthesisDistance(tmp_path, [make_pair()], recognizer=None)


def test_speaker_similarity(voices: Path, resemblyzer: None) -> None:
    utterances = read_manifest(voices)
    references = {name: [u for u in utterances if u.speaker == name][:2] for name in ("ann", "ben")}
    metric = SpeakerSimilarity([EvaluationFold([make_pair(), make_pair(target="ann")], references, [])])
    metric.update(ConversionExample(make_pair(), speech("ann", 9), speech("ben", 9), speech("ben", 10), None))
    metric.update(ConversionExample(make_pair(target="ann"), speech("ann", 9), speech("ann", 9), None, None))
    preferred, cosine, to_source = metric.compute()
    assert to_source.mean < to_source.source_baseline and to_source.num_values == 2
    assert (preferred.mean, preferred.num_values, preferred.chance) == (1, 1, 0.5)
    assert (preferred.source_baseline, preferred.target_reference) == (0, 1)
    assert (
        cosine.num_values == 2
        and cosine.mean > 0.9 > cosine.chance
        and cosine.target_reference > cosine.chance
    )


def test_speech_quality(speechmos: None) -> None:
    metric = dnsmos()
    quiet = np.pad(speech("ann", 9), 40_000)
    metric.update(ConversionExample(make_pair(), quiet, speech("ben", 9), None, None))
    (summary,) = metric.compute()
    assert summary.chance < summary.mean < summary.source_baseline and np.isnan(summary.target_reference)
    assert np.isnan(DnsmosModel().overall_score(np.zeros(0)))


class StubRecognizer:
    """Returns a fixed text for each value of the first sample."""

    description = "stub"

    def transcribe(self, wave: np.ndarray) -> str:
        return {1: "the cat sat", 2: "a cat"}[round(float(wave[0]))]

    def words(self, text: str) -> list[str]:
        return text.lower().strip("!.").split()


def test_error_rates_are_of_all_sentences_together(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "ann_0.txt").write_text("The cat sat!")
    (tmp_path / "ann_1.txt").write_text("A cat.")
    pairs = [make_pair(utt="ann_0"), make_pair(utt="ann_1")]
    metric = WordErrorRate(read_texts(tmp_path, [pair.source for pair in pairs]), StubRecognizer())
    one, two = np.full(9, 1.0), np.full(9, 2.0)
    metric.update(ConversionExample(pairs[0], one, two, None, None, lossy_copy=two))
    metric.update(ConversionExample(pairs[1], two, two, None, None, lossy_copy=two, random_voice=one))
    words, characters = metric.compute()
    assert words.mean == pytest.approx(2 / 5) == words.lossy_copy  # 2 errors in 3 words, 0 in 2
    assert characters.mean == pytest.approx(7 / 16)  # "the cat sat" to "a cat"
    assert words.source_baseline == 0 == words.chance and words.low <= words.mean <= words.high
    assert np.isnan(words.random_voice) and np.isnan(words.target_reference)  # other sentences
    with pytest.raises(UserError, match=r"no ann_2.txt with words in this folder"):
        read_texts(tmp_path, [make_pair(utt="ann_2").source])
    with pytest.raises(UserError, match="no such folder"):
        read_texts(tmp_path / "no", [make_pair().source])


@pytest.mark.parametrize(
    ("module", "make", "extra"),
    [("resemblyzer", SpeakerEncoder, "speakers"), ("speechmos", DnsmosModel, "quality")],
)
def test_a_missing_package_is_named_with_its_remedy(
    module: str, make: type, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=rf"pip install 'speechvq\[{extra}\]'"):
        make()


def test_metrics_without_their_package_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("hama", "resemblyzer", "speechmos", "distillmos", "faster_whisper"):
        monkeypatch.setitem(sys.modules, module, None)
    write_waveform(tmp_path / f"{make_pair().source.utt}.wav", np.zeros(9))
    (tmp_path / f"{make_pair().source.utt}.txt").write_text("Words.")
    folds, words = [EvaluationFold([make_pair()], {}, [])], WordSettings(tmp_path, "base")
    metrics, judges, left_out = select_metrics(folds, resynthesis=tmp_path, words=words)
    assert [type(metric) for metric in metrics] == [ResynthesisDistance] and not judges
    assert [line.partition(":")[0] for line in left_out] == ["left out"] * 5
    for extra in ("words", "phones", "distillmos", "quality", "speakers"):
        assert sum(f"pip install 'speechvq[{extra}]'" in line for line in left_out) == 1


def test_the_command_prints_and_writes_all_metrics(
    voices: Path,
    tmp_path: Path,
    resemblyzer: None,
    speechmos: None,
    hama: None,
    capsys: pytest.CaptureFixture[str],
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
    assert printed.count("left out") == 1 and "pip install 'speechvq[distillmos]'" in printed
    summary = json.loads((tmp_path / "scores.json").read_text())["summary"]
    for name in (
        "phone_error_rate",
        "embedding_target_preferred",
        "embedding_target_cosine",
        "embedding_source_cosine",
        "dnsmos_overall",
        "f0_shift_ratio",
        "resynthesis_log_mel_distance_db",
        "resynthesis_mel_cepstral_distortion_db",
    ):
        assert summary[name]["label"] in printed and summary[name]["num_values"] <= 2
    assert summary["f0_shift_ratio"]["mean"] == pytest.approx(1, abs=0.1)
    assert list(summary)[-1] == "f0_distance_semitones" and summary["f0_distance_semitones"]["by_rule"]
    quality = summary["dnsmos_overall"]
    assert None not in [quality[kind] for kind in ("source_baseline", "lossy_copy", "random_voice")]
    assert summary["embedding_source_cosine"]["source_baseline"] > 0.9
    distortion = summary["resynthesis_mel_cepstral_distortion_db"]
    assert distortion["mean"] < distortion["chance"]


def test_missing_transcripts_are_one_error_line(
    voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_waveform(tmp_path / "converted" / "cay" / "ann_3.wav", speech("cay", 3))
    flags = {"--converted": tmp_path / "converted", "--manifest": voices, "--wer": tmp_path}
    assert evaluate.main(["conversion", *(str(part) for pair in flags.items() for part in pair)]) == 2
    assert "no ann_3.txt with words in this folder or below" in capsys.readouterr().err
