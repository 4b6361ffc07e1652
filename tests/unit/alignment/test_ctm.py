"""CTM files of one or many utterances: read by passages; an error names the line."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speechvq.alignment.ctm import find_passages, read_passage
from speechvq.alignment.intervals import Interval
from speechvq.errors import UserError

STEPS = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=1, max_size=6)
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "corpus.ctm"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path: Path) -> dict[str, list[Interval]]:
    return {utterance: read_passage(passage) for utterance, passage in find_passages(path).items()}


def test_comments_blank_lines_and_extra_columns_are_ignored(tmp_path: Path) -> None:
    text = (
        "\ufeff;; made by hand\r\n"
        "utt-1 1 0.00 0.10 AA 0.93\r\n"
        "\r\n"
        "  utt-1   1 0.10 0.20 ɑː\r\n"
        ";; the next\n"
        "ütt2 A 0.3 0.03 B 1.00 lex anna\n"
        "ütt2 A 0.33 1e-1 SIL"
    )
    assert read(written(tmp_path, text)) == {
        "utt-1": [Interval(0.0, 0.1, "AA"), Interval(0.1, 0.3, "ɑː")],
        "ütt2": [Interval(0.3, 0.33, "B"), Interval(0.33, 0.43, "SIL")],
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a 1 0 0.1 AA\na 1 0.1 0.1\n", "line 2: expected 'utterance channel start duration phone'"),
        (b"a\n", "line 1: expected 'utterance channel"),
        (b"a 1 0 x AA\n", "line 1: expected 'utterance channel"),
        (b"a 1 nan 0.1 AA\n", "line 1: times from nan to nan"),
        (b"a 1 0 1e400 AA\n", "line 1: times from 0.0 to inf"),
        (b"a 1 -0.5 0.1 AA\n", "line 1: begins at -0.5 s, before the recording does"),
        (b"\na 1 0.5 -0.1 AA\n", "line 2: ends at 0.4 s, before its start at 0.5 s"),
        (b";;\na 1 0 0.2 AA\na 1 0.1 0.2 B\n", "line 3: begins before the interval above it ends"),
        (b"a 1 0 0.1 AA\nb 1 0 0.1 B\na 1 0.1 0.1 B\n", "line 3: a continues after another utterance; sort"),
        (b"a A 0 0.1 AA\na B 0 0.1 B\n", "line 2: channel B after A; name each channel's utterance"),
        (b"a 1 0 0.1 AA\na 1 0.1 0.1 \xff\n", "line 2: not UTF-8; save it as UTF-8"),
        ("a 1 0 0.1 AA\n".encode("utf-16"), "line 1: not text; save it as UTF-8"),
        (b"a 1 0 0.1 " + b"A" * 100_000, "line 1: not text"),
    ],
)
def test_an_invalid_line_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, content)
    with pytest.raises(UserError) as error:
        read(path)
    assert str(error.value).startswith(f"{path}, ") and message in str(error.value)


def test_an_empty_file_has_no_utterances(tmp_path: Path) -> None:
    assert read(written(tmp_path, "")) == read(written(tmp_path, ";; nothing\n\n")) == {}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere.ctm: No such file"):
        find_passages(tmp_path / "nowhere.ctm")


def test_each_passage_is_found_in_a_large_file(tmp_path: Path) -> None:
    rng = random.Random(0)
    names = [f"utt{i}" for i in range(300)]
    lines = {name: [f"{name} 1 {n} 1 P{n}\n" for n in range(rng.randrange(1, 9))] for name in names}
    passages = find_passages(written(tmp_path, "".join("".join(lines[name]) for name in names)))
    for name in rng.sample(names, 50):
        phones = [each.phone for each in read_passage(passages[name])]
        assert phones == [f"P{n}" for n in range(len(lines[name]))]


@FEW
@given(st.lists(STEPS, min_size=1, max_size=5))
def test_written_intervals_are_read_back(tmp_path: Path, steps: list[list[tuple[int, int]]]) -> None:
    """Times in hundredths, as Kaldi prints them: rounding never makes intervals overlap."""
    expected, lines = {}, []
    for i, pieces in enumerate(steps):
        time, intervals = 0, []
        for gap, length in pieces:
            start, time = time + gap, time + gap + length
            intervals.append((start, time))
            lines.append(f"u{i} 1 {start / 100:.2f} {length / 100:.2f} P\n")
        expected[f"u{i}"] = intervals
    found = read(written(tmp_path, "".join(lines)))
    hundredths = {u: [(round(100 * i.start), round(100 * i.end)) for i in each] for u, each in found.items()}
    assert hundredths == expected
    assert all(a.end <= b.start for each in found.values() for a, b in zip(each, each[1:]))


@FEW
@given(st.binary(max_size=120) | st.text("a1 .-0e\n;é", max_size=120).map(str.encode))
def test_random_bytes_are_refused_or_read(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path, content)
    try:
        found = read(path)
    except UserError as error:
        assert str(error).startswith(str(path))
    else:
        rows = content.decode("utf-8", "replace").split(
            "\n"
        )  # text, because some Unicode blanks are not blank as bytes
        lines = [line for line in rows if line.strip() and not line.strip().startswith(";;")]
        assert sum(map(len, found.values())) == len(lines)
