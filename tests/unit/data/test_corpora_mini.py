"""The built-in corpus: reproducible bytes, labels without gaps, distinct voices."""

import hashlib
import importlib.util
import json
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechvq.alignment.directory import open_alignments
from speechvq.alignment.intervals import read_lab
from speechvq.alignment.phones import PHONES, STOPS
from speechvq.data.corpora import folder
from speechvq.data.corpora.mini import corpus, espeak
from speechvq.data.corpora.mini.espeak import Voice, _phones, synthesize
from speechvq.data.corpora.mini.sentences import sentences
from speechvq.data.corpora.mini.voices import VOICES
from speechvq.errors import UserError

needs_espeak = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None,
    reason="eSpeak NG is missing: pip install 'speechvq[mini]'",
)
SMALL = {"speakers": 2, "sentences": 3, "seed": 1}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("mini")
    assert corpus.build(out, **SMALL, jobs=1) == 6
    return out


def _hashes(out: Path) -> dict[str, str]:
    files = (path for path in out.rglob("*") if path.is_file())
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _loudness(samples: np.ndarray) -> float:
    """RMS, on the scale of 16-bit samples."""
    return float(np.sqrt(np.mean(np.square(samples.astype(np.float64)))))


def _median_f0(samples: np.ndarray, rate: int) -> float:
    """Median over voiced 40 ms frames of the strongest period between 60 and 400 Hz, in Hz."""
    length, found = int(0.04 * rate), []
    for start in range(0, len(samples) - length, length // 2):
        frame = samples[start : start + length].astype(np.float64)
        frame -= frame.mean()
        similarity = np.correlate(frame, frame, "full")[length - 1 :]
        similarity /= np.arange(length, 0, -1)  # long periods have fewer terms
        periods = slice(rate // 400, rate // 60)
        best = similarity[periods].max()
        if similarity[0] > 1e4 and best > 0.6 * similarity[0]:
            # the first peak close to the maximum, since multiples of the period are as high
            first = np.flatnonzero(similarity[periods] > 0.9 * best)
            peak = periods.start + first[0] + np.argmax(similarity[periods][first[0] : first[0] + 20])
            found.append(rate / peak)
    return float(np.median(found))


@needs_espeak
def test_builds_are_equal_to_the_byte_for_any_number_of_jobs(built, tmp_path):
    corpus.build(tmp_path, **SMALL, jobs=2)
    assert len(_hashes(built)) == 3 * 6 + 1
    assert _hashes(tmp_path) == _hashes(built)


@needs_espeak
def test_an_utterance_does_not_depend_on_the_others():
    pairs = corpus.speaker_sentences("f02", 3, seed=0)
    together = list(synthesize(VOICES["f02"], pairs))
    [alone] = synthesize(VOICES["f02"], pairs[2:])
    assert np.array_equal(together[2].samples, alone.samples)
    assert together[2].phones == alone.phones


@needs_espeak
def test_without_fork_the_samples_are_the_same(monkeypatch, tmp_path):
    pairs = corpus.speaker_sentences("f02", 2, seed=0)
    forked = list(synthesize(VOICES["f02"], pairs))
    program = tmp_path / "without_fork.py"
    program.write_text(
        f"import os, runpy\nif hasattr(os, 'fork'): del os.fork\n"
        f"runpy.run_path({str(espeak.PROCESS)!r}, run_name='__main__')\n"
    )
    monkeypatch.setattr(espeak, "PROCESS", program)
    monkeypatch.delattr("os.fork", raising=False)
    fresh = list(synthesize(VOICES["f02"], pairs))
    assert [speech.name for speech in fresh] == [name for name, _ in pairs]
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(forked, fresh, strict=True))


@needs_espeak
def test_labels_cover_every_file_without_gaps(built):
    labels = open_alignments(built / "recordings" / "lab").read_all()
    sounds = sorted((built / "recordings" / "audio").rglob("*.flac"))
    assert [path.stem for path in sounds] == sorted(labels)
    for path in sounds:
        intervals, info = labels[path.stem], soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
        assert intervals[0].start == 0
        assert intervals[-1].end == info.frames / 16_000
        assert all(left.end == right.start for left, right in zip(intervals, intervals[1:], strict=False))
        assert {interval.phone for interval in intervals} <= set(PHONES)
        assert 1.0 < info.duration < 6.0


@needs_espeak
def test_every_voice_has_known_phones_with_energy_at_its_labels():
    text = "The usual noise: Joyce put thirty yellow books there, and washed her hands; the bottle vanished."
    for name, voice in VOICES.items():
        [speech] = synthesize(voice, [(name, text)])  # an unknown mnemonic would raise
        starts = [at for at, _ in speech.phones]
        assert starts == sorted(starts) and starts[-1] <= len(speech.samples)
        assert np.abs(speech.samples.astype(int)).max() < 32_700, f"{name} clips"


@needs_espeak
def test_the_closure_belongs_to_the_stop():
    """The silence before a burst belongs to the stop, so its first third has much less energy than vowels."""
    [speech] = synthesize(Voice("gmw/en-US", "m3", 50, 150), [("x", "a packet, a happy cook")])
    starts = [at for at, _ in speech.phones] + [len(speech.samples)]
    vowel = _loudness(speech.samples)
    voiceless = [index for index, (_, phone) in enumerate(speech.phones) if phone in ("P", "K")]
    assert len(voiceless) >= 4
    for index in voiceless:
        start, end = starts[index], starts[index + 1]
        middle = speech.samples[start + (end - start) // 8 : start + (end - start) // 3]
        assert _loudness(middle) < 0.02 * vowel


def test_a_symbol_moves_a_stop_only_and_not_into_a_silence():
    speech = [(300, "t"), (400, "'a"), (600, "t"), (700, "t"), (760, "s")]
    events = [(100, "_"), *speech, (900, "_:"), (950, "_")]
    symbols = [(110, "t"), (400, "'a"), (520, "t"), (520, "t"), (640, "t"), (720, "s")]
    expected = [(0, "SIL"), (300, "T"), (400, "AE"), (520, "T"), (640, "T"), (760, "S"), (900, "SIL")]
    assert _phones(events, symbols) == expected
    assert {"T"} <= set(STOPS)


@needs_espeak
@pytest.mark.parametrize("name", ["m01", "m04", "f05", "f03"])
def test_the_median_f0_is_as_designed(name):
    designed = {"m01": 89, "m04": 126, "f05": 161, "f03": 213}
    waves = [speech.samples for speech in synthesize(VOICES[name], corpus.speaker_sentences(name, 2, seed=0))]
    assert _median_f0(np.concatenate(waves), 22_050) == pytest.approx(designed[name], rel=0.1)


def test_the_voices_are_distinct_half_male_half_female():
    assert len(set(VOICES.values())) == len(VOICES) == 50
    first_ten = list(VOICES)[:10]
    assert sum(name.startswith("m") for name in first_ten) == 5
    assert all(20 <= voice.pitch <= 80 and 140 <= voice.rate <= 200 for voice in VOICES.values())
    assert len({voice.accent for voice in VOICES.values()}) == 8


def test_the_first_tenth_of_the_sentences_is_shared():
    one, other = corpus.speaker_sentences("m01", 25, seed=0), corpus.speaker_sentences("f01", 25, seed=0)
    assert [text for _, text in one[:3]] == [text for _, text in other[:3]]
    assert not {text for _, text in one[3:]} & {text for _, text in other[3:]}
    assert one[0][0] == "m01_001"


@needs_espeak
def test_shared_sentences_are_written_for_every_speaker(built):
    texts = {path.stem: path.read_text() for path in (built / "recordings" / "txt").rglob("*.txt")}
    assert texts["m01_001"] == texts["f01_001"]
    assert texts["m01_002"] != texts["f01_002"]


def test_sentences_are_plain_english_and_follow_the_seed():
    some = list(islice(sentences("a"), 500))
    assert some == list(islice(sentences("a"), 500)) != list(islice(sentences("b"), 500))
    assert len(set(some)) == 500
    for sentence in some:
        assert sentence[0].isupper() and sentence[-1] in ".?" and "{" not in sentence
        assert 5 <= len(sentence.split()) <= 14
        assert not any(f" a {sound}" in f" {sentence.lower()}" for sound in ("a", "e", "i", "o", "uncle"))


@needs_espeak
def test_the_sentences_contain_every_phone():
    phones = {
        phone
        for speech in synthesize(VOICES["m04"], corpus.speaker_sentences("m04", 60, 0))
        for _, phone in speech.phones
    }
    assert phones == set(PHONES)


@needs_espeak
def test_only_other_parameters_rebuild_the_corpus(tmp_path, monkeypatch):
    corpus.build(tmp_path, speakers=2, sentences=1)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    monkeypatch.setattr(corpus, "_record_all", lambda *_: pytest.fail("built again"))
    assert corpus.build(tmp_path, speakers=2, sentences=1) == 2
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    monkeypatch.undo()
    assert corpus.build(tmp_path, speakers=1, sentences=2) == 2
    assert sorted(path.name for path in tmp_path.rglob("*.flac")) == ["m01_001.flac", "m01_002.flac"]


@needs_espeak
def test_an_interrupted_build_is_repeated(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(corpus, "write_lab", interrupt)
        corpus.build(tmp_path, speakers=1, sentences=1)
    assert not json.loads((tmp_path / "recordings" / "mini.json").read_text())["complete"]
    corpus.build(tmp_path, speakers=1, sentences=1)
    assert read_lab(tmp_path / "recordings" / "lab" / "m01" / "m01_001.lab")


@needs_espeak
def test_an_interrupted_build_keeps_the_complete_speakers(tmp_path, monkeypatch):
    def interrupt(recordings, speaker, *rest):
        if speaker == "f01":
            raise KeyboardInterrupt
        record(recordings, speaker, *rest)

    record = corpus._record
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(corpus, "_record", interrupt)
        corpus.build(tmp_path, speakers=2, sentences=1, jobs=1)
    audio = tmp_path / "recordings/audio"
    before = (audio / "m01/m01_001.flac").stat().st_mtime_ns
    corpus.build(tmp_path, speakers=2, sentences=1)
    assert (audio / "m01/m01_001.flac").stat().st_mtime_ns == before and (audio / "f01/f01_001.flac").exists()


@needs_espeak
def test_the_layout_is_that_of_a_folder_corpus(built):
    found = folder.recordings(built / "recordings").recordings
    assert {recording.speaker for recording in found} == {"m01", "f01"}
    assert all(recording.text and recording.alignment for recording in found)


def test_other_recordings_are_not_removed(tmp_path):
    (tmp_path / "recordings" / "audio").mkdir(parents=True)
    (tmp_path / "recordings" / "audio" / "precious.wav").write_bytes(b"sound")
    with pytest.raises(UserError, match="choose another --out"):
        corpus.build(tmp_path)
    assert (tmp_path / "recordings" / "audio" / "precious.wav").read_bytes() == b"sound"


@pytest.mark.parametrize("numbers", [{"speakers": 0}, {"speakers": 51}, {"sentences": 0}])
def test_numbers_out_of_range_are_refused(tmp_path, numbers):
    with pytest.raises(UserError, match="the built-in corpus has|give at least 1"):
        corpus.build(tmp_path, **numbers)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr(espeak.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'speechvq\[mini\]'"):
        list(synthesize(VOICES["m01"], [("x", "hello")]))


@needs_espeak
@pytest.mark.parametrize("voice", [Voice("gmw/en", "nobody", 50, 160), Voice("gmw/en-gb", "m1", 50, 160)])
def test_an_unknown_voice_is_refused(voice):
    with pytest.raises(ValueError, match="has no"):
        list(synthesize(voice, [("x", "hello")]))


@needs_espeak
def test_a_voice_whose_samples_the_hooks_miss_is_refused():
    with pytest.raises(RuntimeError, match="eSpeak NG failed"):
        list(synthesize(Voice("gmw/en", "klatt3", 50, 160), [("x", "hello there")]))


@needs_espeak
def test_a_library_that_cannot_be_loaded_is_a_user_error(monkeypatch):
    monkeypatch.setattr(espeak, "_library_name", lambda: "missing.so")
    with pytest.raises(UserError, match="install espeakng-loader again"):
        list(synthesize(VOICES["m01"], [("x", "hello")]))


@needs_espeak
def test_espeak_is_not_loaded_in_this_process(built):
    assert "espeakng_loader" not in sys.modules
