"""encode --format lhotse: a CutSet whose codes lhotse loads, complete also after a second call."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.audio_files import save_tiny_model, write_invalid_audio, write_tone
from speechvq import encode, load
from speechvq.data.codes_directory import open_codes
from speechvq.data.manifest import read_manifest

lhotse = pytest.importorskip("lhotse", reason="the extra lhotse is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # of the library


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("run"))


def run(model: Path, src: Path, out: Path, *more: str) -> int:
    return encode.main(
        ["--model", str(model), "--src", str(src), "--out", str(out), "--format", "lhotse", *more]
    )


def cuts(out: Path, name: str = "cuts") -> list[Any]:
    return list(lhotse.CutSet.from_file(out / f"{name}.jsonl.gz"))


def test_lhotse_loads_codes_audio_speakers_and_texts(model: Path, corpus: Path, tmp_path: Path) -> None:
    assert run(model, corpus, tmp_path, "--limit", "4") == 0
    assert len(cuts(tmp_path)) == 4
    assert run(model, corpus, tmp_path) == 0
    codes, found = open_codes(tmp_path), cuts(tmp_path)
    assert [each.id for each in found] == [each.utt for each in read_manifest(corpus)]
    for cut, utterance in zip(found, read_manifest(corpus)):
        assert cut.supervisions[0].speaker == utterance.speaker
        assert cut.duration == pytest.approx(utterance.seconds) == cut.load_audio().shape[1] / 16_000
        assert np.array_equal(cut.codes.load(), codes.read(cut.id))
        assert np.array_equal(cut.load_codes(), codes.read(cut.id))
        assert cut.fingerprint == load(model).fingerprint()
    half = found[0].truncate(offset=0.1, duration=0.2)
    assert np.array_equal(half.load_codes(), codes.read(found[0].id)[200:600])  # 2000 codes per second


def test_features_and_shards(model: Path, corpus: Path, tmp_path: Path) -> None:
    for index in range(2):
        assert run(model, corpus, tmp_path, "--features", "--shard", f"{index}/2") == 0
    found = cuts(tmp_path, "cuts-0-of-2") + cuts(tmp_path, "cuts-1-of-2")
    assert {each.id for each in found} == {each.utt for each in read_manifest(corpus)}
    assert np.array_equal(found[0].load_encoder_features(), np.load(tmp_path / f"{found[0].id}.npy"))


def test_recordings_that_failed_have_no_cut(model: Path, tmp_path: Path) -> None:
    write_tone(tmp_path / "in/deep/a.wav")
    write_invalid_audio(tmp_path / "in", "text.wav")
    assert run(model, tmp_path / "in", tmp_path / "out") == 0
    [cut] = cuts(tmp_path / "out")
    assert cut.id == "deep/a" and not cut.supervisions
    assert np.array_equal(cut.codes.load(), np.load(tmp_path / "out/deep/a.npy"))


def test_the_extra_is_named_before_the_work(
    model: Path,
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "lhotse", None)
    assert run(model, corpus, tmp_path / "out") == 2
    assert "pip install 'speechvq[lhotse]'" in capsys.readouterr().err and not (tmp_path / "out").exists()
