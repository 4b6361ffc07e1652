"""Names with dashes, spaces, emoji, control characters or 255 bytes broke manifests, tables and messages."""

import os
from pathlib import Path

import pytest

from helpers.audio_files import names, save_tiny_model, write_tone
from speechvq import align, convert, encode, enroll, prepare
from speechvq.cli.sources import find_sources
from speechvq.cli.tables import align as align_table
from speechvq.data.corpora import folder
from speechvq.data.manifest import Utterance, read_manifest, write_manifest
from speechvq.errors import UserError, printable
from speechvq.io.names import check_length, is_file_name
from speechvq.plots.panels import drawable_text

ODD = "-a|a b |😀 👩\u200d🔬|#1|$x$|A|a|con|nul.x|%s{0}|'\"|v1.2|*?[x]|~".split("|")
CONTROL = ["a\nb", "a\tb", "\x1b[31mred", "a\x85b", "a\u2028b", os.fsdecode(b"latin-\xe4")]


def tone(path: Path) -> Path:
    """A recording of any name, which the library cannot write itself."""
    write_tone(path.with_name("new.wav"), samples=8_000).rename(path)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_tiny_model(tmp_path / "run")


def test_every_name_is_read_and_written(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*ODD, *CONTROL]:
        tone(tmp_path / f"in/{name}.wav")
    monkeypatch.chdir(tmp_path)
    flags = ["--model", str(model), "--src", "in"]
    assert encode.main([*flags, "--out", "codes"]) == 0
    assert names(Path("codes")) == {"meta.json", *(f"{name}.npy" for name in [*ODD, *CONTROL])}
    monkeypatch.chdir("in")
    assert encode.main(["--model", str(model), "--src=-a.wav", "--out=-codes"]) == 0
    assert names(Path("-codes")) == {"meta.json", "-a.npy"}


def test_a_manifest_of_odd_names(tmp_path: Path) -> None:
    for name in ODD:
        tone(tmp_path / f"in/{name}/{name}.wav")
    flags = ["folder", "--root", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--jobs", "1"]
    assert prepare.main(flags) == 0
    listed = read_manifest(tmp_path / "out")
    assert sorted(each.utt for each in listed) == sorted(each.speaker for each in listed) == sorted(ODD)
    assert all(each.path.is_file() for each in listed)
    assert [source.name for source in find_sources(tmp_path / "out")] == sorted(ODD)


@pytest.mark.parametrize("name", CONTROL)
def test_control_characters_do_not_enter_a_manifest(name: str, tmp_path: Path) -> None:
    tone(tmp_path / f"in/ann/{name}.wav")
    write_tone(tmp_path / "in/ann/fine.wav")
    found = folder.recordings(tmp_path / "in")
    assert [each.utt for each in found.recordings] == ["fine"] and sum(found.skipped.values()) == 1
    for bad in (
        Utterance(name, "ann", "train", 1.0, tmp_path / "a.wav"),
        Utterance("a", name, "train", 1.0, tmp_path / "a.wav"),
        Utterance("a", "ann", "train", 1.0, tmp_path / f"{name}.wav"),
    ):
        with pytest.raises(UserError):
            write_manifest(tmp_path / "m.tsv", [bad])
    assert not (tmp_path / "m.tsv").exists()


@pytest.mark.parametrize("name", CONTROL)
def test_control_characters_are_escaped_in_what_is_shown(
    name: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = printable(name)
    assert shown.isprintable() and shown.splitlines() == [shown]
    assert printable("José, 😀 👩\u200d🔬 #1") == "José, 😀 👩\u200d🔬 #1"
    assert drawable_text(name).isprintable()
    assert align_table([["x", "y"], [name, "1"]], left=1).splitlines()[1] == f"{shown}  1"
    source = tone(tmp_path / f"{name}.wav")
    flags = ["--model", str(model), "--target-speaker", "ada", "--out", str(tmp_path / "out")]
    (tmp_path / "out").mkdir()
    assert convert.main(["--src", str(source), *flags]) == 0
    assert convert.main(["--src", str(tmp_path / f"{name}.mp3"), *flags]) == 2
    out, err = capsys.readouterr()
    assert all(line.isprintable() for line in (out + err).split("\n"))
    assert f"{printable(' '.join(name.splitlines()))}.mp3: no such file" in err


def test_columns_are_aligned_by_their_width_on_a_terminal() -> None:
    lines = align_table([["李", "1"], ["abc", "2"], ["e\u0301", "3"]], left=1).splitlines()
    assert lines == ["李   1", "abc  2", "e\u0301    3"]


@pytest.mark.parametrize("name", ["", " ", ".", "..", ".a", "a/b", "a\\b", "x" * 244, "é" * 122, *CONTROL])
def test_names_that_no_file_can_have(name: str, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not is_file_name(name)
    assert enroll.main([f"--name={name}", "--audio", "a.wav", "--model", str(model)]) == 2
    assert "cannot name a file" in capsys.readouterr().err


@pytest.mark.parametrize("name", [*ODD, "x" * 243])
def test_names_that_a_file_can_have(name: str) -> None:
    assert is_file_name(name)


def test_a_name_that_gets_too_long_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The model does not exist, and the message does not mention it."""
    long = write_tone(tmp_path / f"in/{'x' * 250}.au")
    flags = ["--model", str(tmp_path / "nowhere"), "--src", str(long.parent)]
    with pytest.raises(UserError, match="a name of 256 bytes; shorten it"):
        check_length(Path("x" * 256))
    target = ["--target-speaker", "y" * 252, "--out", str(tmp_path / "out" / ("z" * 256))]
    assert convert.main([*flags, *target]) == 2
    assert encode.main(["--model", "nowhere", "--src", "x" * 300, "--out", "out"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and all("bytes; shorten it" in line for line in lines)


def test_a_value_with_a_dash_gets_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        align.main(["--audio", "-a.wav"])
    assert "a value that begins with a dash is written --flag=-value" in capsys.readouterr().err
