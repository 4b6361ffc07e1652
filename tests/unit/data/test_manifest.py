"""The manifest: round trip, and messages that name file and line."""

from pathlib import Path

import pytest

from speechvq.data.manifest import Utterance, read_manifest, write_manifest
from speechvq.errors import UserError

HEADER = "utt\tspeaker\tsplit\tseconds\tpath\n"


def utterances(folder: Path) -> list[Utterance]:
    return [
        Utterance("b_2", "b", "dev", 2.5, (folder / "audio" / "b" / "b_2.flac").resolve()),
        Utterance("ä 1", "a", "train", 1.25, (folder / "audio" / "a" / "ä 1.flac").resolve()),
        Utterance("a_1", "a", "train", 1.0, Path("/elsewhere/a_1.flac")),
    ]


def test_round_trip_sorts_by_utterance(tmp_path: Path) -> None:
    write_manifest(tmp_path / "manifest.tsv", utterances(tmp_path))
    expected = sorted(utterances(tmp_path), key=lambda utterance: utterance.utt)
    assert read_manifest(tmp_path / "manifest.tsv") == expected == read_manifest(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["manifest.tsv"]


def test_a_prepared_folder_can_be_moved(tmp_path: Path) -> None:
    write_manifest(tmp_path / "old" / "manifest.tsv", utterances(tmp_path / "old")[:1])
    (tmp_path / "old").rename(tmp_path / "new")
    assert read_manifest(tmp_path / "new")[0].path == (tmp_path / "new/audio/b/b_2.flac").resolve()


def test_other_columns_order_and_line_ends_are_allowed(tmp_path: Path) -> None:
    content = "\ufeffspeaker\tutt\tsex\tpath\tseconds\tsplit\r\np1\tu1\tF\ta.wav\t1.5\ttrain\r\n\r\n"
    (tmp_path / "manifest.tsv").write_bytes(content.encode())
    path = (tmp_path / "a.wav").resolve()
    assert read_manifest(tmp_path) == [Utterance("u1", "p1", "train", 1.5, path)]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "line 1: no column utt, speaker, split, seconds, path"),
        ("utt\tspeaker\tsplit\tpath\n", "line 1: no column seconds"),
        (HEADER, "lists no utterances"),
        (HEADER + "u\ts\ttrain\tlong\tu.wav\n", "line 2: 'long' is not a number of seconds"),
        (HEADER + "u\ts\ttrain\tnan\tu.wav\n", "line 2: 'nan' is not a number of seconds"),
        (HEADER + "u\ts\ttrain\t-1\tu.wav\n", "line 2: '-1' is not a number of seconds"),
        (HEADER + "\nu\ts\ttrain\t1\n", "line 3: 4 values for 5 columns"),
        (HEADER + "u\ts\ttrain\t1\tu.wav\n" * 2, "line 3: utterance u appears twice"),
        (HEADER + "../u\ts\ttrain\t1\tu.wav\n", "line 2: '../u' cannot name a file"),
        (HEADER + ".u\ts\ttrain\t1\tu.wav\n", "line 2: '.u' cannot name a file"),
        (b"\xff\xfe\x00u", "not UTF-8"),
    ],
)
def test_mistakes_are_named_by_file_and_line(tmp_path: Path, content: str | bytes, complaint: str) -> None:
    path = tmp_path / "manifest.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as caught:
        read_manifest(path)
    assert str(caught.value).startswith(f"{path}: {complaint}") and "\n" not in str(caught.value)


def test_a_missing_manifest_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"manifest\.tsv: no such manifest; .*speechvq\.prepare"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("utt", ["a/b", "a\tb", "", "a\udcff"])
def test_invalid_file_names_are_not_written(tmp_path: Path, utt: str) -> None:
    with pytest.raises(UserError, match="cannot name an utterance"):
        write_manifest(tmp_path / "m.tsv", [Utterance(utt, "s", "train", 1.0, tmp_path / "x.flac")])
    assert list(tmp_path.iterdir()) == []
