"""Label files: reading, writing and errors. The phone at the center of each frame, half-open intervals."""

import random

import pytest

from speechvq.alignment.intervals import Interval, phones_at_frames, read_lab, write_lab
from speechvq.errors import UserError

TWO = [Interval(0.0, 0.1, "AA"), Interval(0.1, 0.25, "SIL")]


def test_written_intervals_are_read_back(tmp_path):
    write_lab(tmp_path / "a.lab", TWO)
    assert (tmp_path / "a.lab").read_bytes() == b"0 1000000 AA\n1000000 2500000 SIL\n"
    assert read_lab(tmp_path / "a.lab") == TWO


def test_writing_keeps_every_16_khz_sample_exactly(tmp_path):
    cuts = [number / 16_000 for number in range(0, 20_000, 7)]
    intervals = [Interval(start, end, "AA") for start, end in zip(cuts, cuts[1:], strict=False)]
    write_lab(tmp_path / "a.lab", intervals)
    assert read_lab(tmp_path / "a.lab") == intervals


def test_scores_empty_lines_byte_order_mark_and_crlf_are_accepted(tmp_path):
    (tmp_path / "a.lab").write_bytes(b"\xef\xbb\xbf0 1000000 AA -12.5\r\n\r\n1000000 2500000 SIL\r\n")
    assert read_lab(tmp_path / "a.lab") == TWO


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_all_encodings_and_line_ends_are_read(tmp_path, encoding, ending):
    text = "0 1000000 ɑː\u2028x\n1000000 2500000 SIL\n".replace("\n", ending)
    (tmp_path / "a.lab").write_bytes(text.encode(encoding))
    assert [each.phone for each in read_lab(tmp_path / "a.lab")] == ["ɑː", "SIL"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"0 10 AA\n10 20\n", "line 2: expected 'start end phone'"),
        (b"0.0 0.1 AA\n", "line 1: expected 'start end phone' with times in units of 100 ns"),
        (b"-5 10 AA\n", "line 1: expected"),
        (b"0 20 AA\n30 25 B\n", "line 2: ends at 25, before its start at 30"),
        (b"0 20 AA\n19 30 B\n", "line 2: begins before the interval above it ends"),
        (b"0 20 AA\n20 30 \xff\n", "line 2: not UTF-8; save it as UTF-8"),
        (b"\xff\xfe0\x00 \x001", "line 1: not UTF-16; save it as UTF-8"),
        (b"0 20 AA\n20 30 B\0\n", "line 2: binary, not text"),
        (b"0 " + b"9" * 5000 + b" AA\n", "line 1: expected 'start end phone'"),
        (b"0 nan AA\n", "line 1: expected"),
    ],
)
def test_an_invalid_line_is_named(tmp_path, content, message):
    path = tmp_path / "bad.lab"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        read_lab(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="nowhere.lab"):
        read_lab(tmp_path / "nowhere.lab")


def test_a_boundary_belongs_to_the_phone_that_begins_there():
    # At 50 frames per second, the centers are at 10, 30 and 50 ms.
    intervals = [Interval(0.0, 0.01, "AA"), Interval(0.01, 0.05, "B")]
    assert phones_at_frames(intervals, 3, 50.0) == ["B", "B", None]


def test_frames_before_between_and_after_have_no_phone():
    intervals = [Interval(0.02, 0.04, "AA"), Interval(0.08, 0.1, "B")]
    assert phones_at_frames(intervals, 6, 50.0) == [None, "AA", None, None, "B", None]
    assert phones_at_frames([], 2, 50.0) == [None, None]


def _by_search(intervals, num_frames, frame_rate_hz):
    """Reference: a search through all intervals for each frame."""
    centers = [(frame + 0.5) / frame_rate_hz for frame in range(num_frames)]
    return [next((i.phone for i in intervals if i.start <= t < i.end), None) for t in centers]


def test_many_frames_equal_a_search_through_all_intervals():
    rng = random.Random(0)
    cuts = sorted(rng.uniform(0, 5) for _ in range(200))
    intervals = [
        Interval(a, b, str(n)) for n, (a, b) in enumerate(zip(cuts, cuts[1:], strict=False)) if n % 5
    ]
    assert phones_at_frames(intervals, 300, 62.5) == _by_search(intervals, 300, 62.5)
