"""The command encode: codes and meta.json, resumption, shards, and one line for every mistake."""

import json
from pathlib import Path

import numpy as np
import pytest

from helpers.audio_files import (
    INVALID_AUDIO,
    names,
    save_tiny_model,
    write_invalid_audio,
    write_samples,
    write_tone,
)
from speechvq import encode, load
from speechvq.audio.waveform import read_waveform


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("run"))


def run(model: Path, src: Path, out: Path, *more: str) -> int:
    return encode.main(["--model", str(model), "--src", str(src), "--out", str(out), *more])


def test_codes_and_meta_json_are_those_of_the_model(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound, out = write_tone(tmp_path / "wäve one.wav"), tmp_path / "ünï codes"
    assert run(model, sound, out) == 0
    assert capsys.readouterr().err.splitlines()[-1] == "1 done, 0 skipped (unchanged), 0 failed"
    meta = json.loads((out / "meta.json").read_text())
    assert meta == {"frame_rate_hz": 2000.0, "num_codes": 8, "codebook": load(model).fingerprint()}
    codes = np.load(out / "wäve one.npy", allow_pickle=False)
    assert codes.dtype == np.int64 and codes.shape == (-(-1_603 // 8),)
    assert np.array_equal(codes, load(model).encode(read_waveform(sound)))
    assert names(out) == {"meta.json", "wäve one.npy"}


def test_a_second_call_encodes_nothing_and_changes_nothing(
    model: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model, corpus, tmp_path, "--split", "dev") == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert run(model, corpus, tmp_path, "--split", "dev") == 0
    assert "0 done, 3 skipped (unchanged), 0 failed" in capsys.readouterr().err
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert run(model, corpus, tmp_path, "--limit", "5") == 0
    assert len(list(tmp_path.glob("*.npy"))) == 7  # cyd_4 is in both


@pytest.mark.parametrize("kept", [0, 7, 200])
def test_a_truncated_file_is_encoded_again(kept: int, model: Path, corpus: Path, tmp_path: Path) -> None:
    run(model, corpus, tmp_path, "--split", "dev")
    whole = (tmp_path / "bob_4.npy").read_bytes()
    (tmp_path / "bob_4.npy").write_bytes(whole[:kept])
    (tmp_path / ".part-0123456789ab.npy").write_bytes(whole[:kept])
    assert run(model, corpus, tmp_path, "--split", "dev") == 0
    assert (tmp_path / "bob_4.npy").read_bytes() == whole


@pytest.mark.parametrize("by", ["flag", "torchrun"])
def test_shards_are_disjoint_and_complete(
    by: str, model: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = []
    for index in range(4):
        monkeypatch.setenv("RANK", "3" if by == "flag" else str(index))  # the flag takes precedence
        monkeypatch.setenv("WORLD_SIZE", "4")
        out = tmp_path / str(index)
        assert run(model, corpus, out, *(["--shard", f"{index}/4"] if by == "flag" else [])) == 0
        parts.append(names(out) - {"meta.json"})
    assert sum(map(len, parts)) == len(set.union(*parts)) == 15 and min(map(len, parts)) == 3


@pytest.mark.parametrize("shard", ["4/4", "-1/4", "1", "a/b", "1/2/3", "0/0"])
def test_invalid_shards_are_refused(
    shard: str, model: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model, corpus, tmp_path / "out", f"--shard={shard}") == 2
    assert f"--shard {shard}: expected i/n with 0 <= i < n, for example 0/4" in capsys.readouterr().err


def test_codes_of_another_model_are_refused(
    model: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = save_tiny_model(tmp_path / "other", seed=1)
    out = tmp_path / "codes"
    assert run(model, corpus, out, "--limit", "1") == 0
    before = names(out)
    assert run(other, corpus, out) == 2
    error = capsys.readouterr().err
    assert error.endswith("these codes are of another model; choose another --out\n") and names(out) == before


@pytest.mark.parametrize("name", list(INVALID_AUDIO))
def test_a_damaged_file_gives_one_line_and_no_output(
    name: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_invalid_audio(tmp_path / "in", name)
    assert run(model, path, tmp_path / "out") == 2
    error = capsys.readouterr().err
    line = "no audio files" if name == "folder.wav" else INVALID_AUDIO[name]
    assert error.startswith(f"speechvq.encode: error: {path}: ") and line in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_damaged_file_among_others_is_skipped(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    write_invalid_audio(folder, "text.wav")
    write_tone(folder / "sub/good.wav")
    write_samples(folder / "one.wav", np.ones(1))
    write_samples(folder / "silence.wav", np.zeros(900))
    assert run(model, folder, out) == 0
    failed, numbers = capsys.readouterr().err.splitlines()
    assert numbers == "3 done, 0 skipped (unchanged), 1 failed"
    assert failed.startswith(f"failed: {folder / 'text.wav'}: ")
    assert names(out) == {"meta.json", "sub/good.npy", "one.npy", "silence.npy"}
    assert np.load(out / "one.npy", allow_pickle=False).shape == (1,)


def test_an_output_folder_that_cannot_be_created(
    model: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert run(model, corpus, tmp_path / "file/codes") == 2
    error = capsys.readouterr().err
    assert (
        "cannot be written" in error
        and "free some space or choose another folder" in error
        and error.count("\n") == 1
    )
