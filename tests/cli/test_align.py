"""The command: every sound aligned, kept, failed or without text, all of them counted and named."""

import shutil
from pathlib import Path

import pytest

from helpers.audio_files import names, write_invalid_audio, write_tone
from helpers.tiny import python
from speechvq import align
from speechvq.alignment.intervals import read_lab
from speechvq.alignment.phones import PHONES
from speechvq.cli.sources import Source


def run(*arguments: str | Path) -> int:
    return align.main([*map(str, arguments), "--jobs", "1"])


def small(espeak_corpus: Path, folder: Path) -> Path:
    """Two sentences of each voice, in folders a voice."""
    for path in sorted(espeak_corpus.glob("audio/*/*_00[12].flac")):
        place = folder / "audio" / path.parent.name / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    return folder


def test_a_folder_is_aligned_and_then_kept(
    espeak_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audio, out = small(espeak_corpus, tmp_path) / "audio", tmp_path / "out"
    assert run("--audio", audio, "--text", espeak_corpus / "txt", "--out", out) == 0
    printed = capsys.readouterr().out
    assert "4 recordings aligned (" in printed and "0 kept, 0 failed, 0 without text" in printed
    assert " than real time" in printed
    made = {path: (out / path).read_bytes() for path in names(out)}
    assert set(made) == {f"{voice}/{voice}_00{i}.lab" for voice in ("f01", "m01") for i in (1, 2)}
    assert all({each.phone for each in read_lab(out / path)} <= set(PHONES) for path in made)
    assert run("--audio", audio, "--text", espeak_corpus / "txt", "--out", out) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{out}: 0 recordings aligned (0 at a lower level, ") and "4 kept" in printed
    assert {path: (out / path).read_bytes() for path in names(out)} == made


def test_failures_are_counted_and_named(
    espeak_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audio, text, out = tmp_path / "audio", tmp_path / "text", tmp_path / "out"
    shutil.copytree(espeak_corpus / "txt" / "f01", text)
    audio.mkdir()
    for i in (1, 2):
        shutil.copy(espeak_corpus / "audio" / "f01" / f"f01_00{i}.flac", audio)
    write_invalid_audio(audio, "nan.wav").rename(audio / "f01_003.wav")
    write_tone(audio / "tone.wav")
    (text / "f01_002.txt").write_text("Blorft " + (text / "f01_002.txt").read_text())
    assert run("--audio", audio, "--text", text, "--out", out) == 0
    printed, error = capsys.readouterr()
    assert "2 recordings aligned" in printed and "1 failed, 1 without text" in printed
    assert "words not in the dictionary, with guessed phones: 1, see" in printed
    assert "there is no tone.txt; write" in error and "f01_003.wav: holds NaN" in error
    assert (out / "problems.txt").read_text().splitlines() == error.splitlines()[-2:]
    assert (out / "unknown.dict").read_text().splitlines()[-1] == "blorft B L AO R F T"
    # The second call has nothing to read by guess, and still lists what the first had.
    (audio / "tone.wav").unlink()
    (audio / "f01_003.wav").unlink()
    dictionary = out / "unknown.dict"
    assert run("--audio", audio, "--text", text, "--out", out, "--dictionary", dictionary) == 0
    assert names(out) == {"f01_001.lab", "f01_002.lab", "unknown.dict"}


def test_a_manifest_is_accepted(espeak_corpus: Path, tmp_path: Path) -> None:
    listed = [f"f01_00{i} f01 {split} 1 audio/f01/f01_00{i}.flac" for i, split in ((1, "train"), (2, "test"))]
    rows = ["utt speaker split seconds path", *listed]
    small(espeak_corpus, tmp_path)
    (tmp_path / "manifest.tsv").write_text("".join(row.replace(" ", "\t") + "\n" for row in rows))
    flags = ["--audio", tmp_path, "--text", espeak_corpus / "txt", "--out", tmp_path / "out"]
    assert run(*flags, "--split", "test") == 0 and names(tmp_path / "out") == {"f01_002.lab"}
    assert run(*flags) == 0 and names(tmp_path / "out") == {"f01_001.lab", "f01_002.lab"}
    assert run(*flags, "--split", "unseen") == 2


def test_texts_are_matched_by_path_then_by_name(tmp_path: Path) -> None:
    for name in ("a/1", "b/1", "b/2", "c/d/3", "x/4", "y/4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.txt").touch()
    sources = [Source(name, Path(f"{name}.wav")) for name in ("a/1", "b/1", "2", "e/3", "4", "5")]
    tasks, complaints = align.match_texts(sources, tmp_path, Path("out"))
    found = [str(each.text.relative_to(tmp_path)) for each in tasks]
    assert found == ["a/1.txt", "b/1.txt", "b/2.txt", "c/d/3.txt"]
    assert [str(each.lab) for each in tasks] == ["out/a/1.lab", "out/b/1.lab", "out/2.lab", "out/e/3.lab"]
    assert [line.partition(";")[0] for line in complaints] == [
        "4.wav: several texts could be 4.txt", "5.wav: there is no 5.txt",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"--audio": "nowhere.tsv"}, "nowhere.tsv: no such manifest"),
        ({"--text": "nowhere"}, "nowhere: no such folder; give the folder of the texts"),
        ({"--text": "empty"}, "empty: no UTT.txt for any of 1 recordings; "),
        ({"--jobs": "0"}, "--jobs 0: give at least one"),
        ({"--dictionary": "nowhere"}, "nowhere: cannot be read"),
        ({}, "none of 1 recordings could be aligned; a.wav: a.txt could not be aligned"),
    ],
)
def test_mistakes_cost_one_line(
    arguments: dict[str, str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_tone(Path("a.wav"))
    Path("a.txt").write_text("a sentence longer than its sound")
    Path("empty").mkdir()
    given = {"--audio": "a.wav", "--text": ".", "--out": "out", "--jobs": "1"} | arguments
    assert align.main([part for pair in given.items() for part in pair]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("speechvq.align: error: ") and message in line


def test_without_pocketsphinx_nothing_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(align, "find_spec", lambda name: None)
    assert run("--audio", tmp_path, "--text", tmp_path, "--out", tmp_path / "out") == 2
    line = "speechvq.align: error: alignment needs PocketSphinx: pip install 'speechvq[align]'\n"
    assert capsys.readouterr().err == line
    assert not (tmp_path / "out").exists()


def test_several_processes_write_the_same(espeak_corpus: Path, tmp_path: Path) -> None:
    """Enough sounds for two processes, most of them kept, so that it is quick."""
    audio = tmp_path / "audio"
    audio.mkdir()
    for i in range(64):
        shutil.copy(espeak_corpus / "audio/f01/f01_001.flac", audio / f"{i:02}.flac")
        (audio / f"{i:02}.txt").write_text((espeak_corpus / "txt/f01/f01_001.txt").read_text())
    out = tmp_path / "out"
    assert run("--audio", audio / "00.flac", "--text", audio, "--out", out) == 0
    for i in range(1, 64):
        if i not in (1, 40):
            shutil.copy(out / "00.lab", out / f"{i:02}.lab")
    flags = {"--audio": audio, "--text": audio, "--out": out, "--jobs": 2}
    process = python("-m", "speechvq.align", *(str(part) for pair in flags.items() for part in pair))
    printed, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    assert "2 recordings aligned" in printed and "62 kept" in printed
    assert {(out / f"{i:02}.lab").read_bytes() for i in range(64)} == {(out / "00.lab").read_bytes()}
