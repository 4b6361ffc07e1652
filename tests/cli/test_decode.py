"""The command decode: codes of every format give the sound of the model, and mistakes are one line."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.audio_files import names, save_tiny_model
from speechvq import decode, encode, load
from speechvq.audio.waveform import read_waveform
from speechvq.data.codes_directory import open_codes


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def codes(model: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the codes of two utterances in each format."""
    folder = tmp_path_factory.mktemp("codes")
    for name, more in {"npy": [], "parquet": ["--deduplicate"], "text": ["--deduplicate"]}.items():
        if name == "parquet":
            pytest.importorskip("pyarrow", reason="needs the extra parquet")
        words = ["--src", str(corpus), "--out", str(folder / name), "--limit", "2", "--format", name, *more]
        assert encode.main(["--model", str(model), *words]) == 0
    return folder


def run(model: Path, codes: Path, out: Path, *more: str, speaker: str = "bob") -> int:
    words = ["--model", str(model), "--codes", str(codes), "--speaker", speaker, "--out", str(out)]
    return decode.main([*words, *more])


@pytest.mark.parametrize("form", ["npy", "parquet", "text"])
def test_the_sound_is_that_of_the_model(
    form: str, model: Path, codes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model, codes / form, tmp_path, "--seed", "3", speaker="bob,ada") == 0
    units, loaded = open_codes(codes / "npy"), load(model)
    assert names(tmp_path) == {f"{who}/{utt}.wav" for who in ("ada", "bob") for utt in units.files}
    for utt in units.files:
        expected = loaded.decode(units.read(utt), "bob", seed=3)
        written, _ = soundfile.read(tmp_path / f"bob/{utt}.wav")
        np.testing.assert_allclose(written, expected, atol=1e-4)
    capsys.readouterr()
    assert run(model, codes / form, tmp_path, "--seed", "3", speaker="bob,ada") == 0
    assert "0 done, 4 skipped (unchanged), 0 failed" in capsys.readouterr().err
    # The other formats hold the same codes, so their results are the same.
    assert run(model, codes / "npy", tmp_path, "--seed", "3") == 0
    assert "0 done, 2 skipped (unchanged), 0 failed" in capsys.readouterr().err


def test_text_of_a_language_model_needs_no_name_and_no_meta_json(model: Path, tmp_path: Path) -> None:
    (tmp_path / "sampled.txt").write_text("1 2 2 7\n\n<sosp><0><5><eosp>\nname|3 4|2 5\n")
    assert run(model, tmp_path / "sampled.txt", tmp_path / "out") == 0
    lengths = {
        name: len(read_waveform(tmp_path / f"out/bob/{name}.wav"))
        for name in ("line_000001", "line_000003", "name")
    }
    assert lengths == {"line_000001": 4 * 8, "line_000003": 2 * 8, "name": 7 * 8}
    (tmp_path / "one.txt").write_text("1 2 2 7\n")
    assert run(model, tmp_path / "one.txt", tmp_path / "one.wav") == 0
    assert len(read_waveform(tmp_path / "one.wav")) == 32


def test_changed_codes_are_decoded_again(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text("x|1 2 3\ny|4 5\n")
    assert run(model, tmp_path / "a.txt", tmp_path / "out") == 0
    (tmp_path / "a.txt").write_text("x|1 2 3\ny|4 6\nz|1\n")
    capsys.readouterr()
    assert run(model, tmp_path / "a.txt", tmp_path / "out") == 0
    assert "2 done, 1 skipped (unchanged), 0 failed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("x|1 2 b\n", "is no list of codes; write for example: NAME|71 12 12 5"),
        ("x|1 8\n", "code 8 at frame 1; meta.json allows 0 to 7"),
        ("x|1 2|3\n", "has 2 values and 1 durations"),
        ("x|1|99999999999\n", "invalid durations"),
        ("x|1\nx|2\n", "both hold utterance x"),
        ("x|" + "9" * 5_000 + "\n", "is no list of codes"),
        ("\n", "holds no utterance"),
        ("../x|1\n", "'../x' cannot name an utterance"),
    ],
)
def test_invalid_text_is_one_line(
    content: str, line: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text(content)
    assert run(model, tmp_path / "a.txt", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert line in error and str(tmp_path / "a.txt") in error and error.count("\n") == 1 and len(error) < 500


def test_codes_of_another_model_are_refused(
    model: Path, codes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = save_tiny_model(tmp_path / "other", seed=1)
    assert run(other, codes / "npy", tmp_path / "out") == 2
    assert "codes of another model (8 codes, 2000 per second)" in capsys.readouterr().err
    meta = json.loads((codes / "npy/meta.json").read_text())
    assert meta["codebook"] == load(model).fingerprint() and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("speaker", "out", "line"),
    [
        ("dan", "out", "unknown speaker 'dan'"),
        (",", "out", "holds no name"),
        ("bob", "a.wav", "give --out DIR"),
    ],
)
def test_mistakes_are_one_line(
    speaker: str,
    out: str,
    line: str,
    model: Path,
    codes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(model, codes / "npy", tmp_path / out, speaker=speaker) == 2
    error = capsys.readouterr().err
    assert line in error and error.count("\n") == 1 and not (tmp_path / out).exists()


def test_a_path_without_codes_is_one_line(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (tmp_path / "missing", tmp_path / "a.wav", tmp_path):
        assert run(model, path, tmp_path / "out") == 2
        error = capsys.readouterr().err
        assert str(path) in error and error.count("\n") == 1
