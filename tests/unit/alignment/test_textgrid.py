"""TextGrid files, handwritten and by praatio, in all encodings: read completely, or refused with the line."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speechvq.alignment.intervals import Interval
from speechvq.alignment.textgrid import read_textgrid
from speechvq.errors import UserError

Form = Callable[[dict[str, "Entries"]], str]
Entries = list[tuple[float | str, float | str, str]]
TWO: Entries = [(0, 0.5, "AA"), (0.5, 1, "B")]
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def long_form(tiers: dict[str, Entries], *, kind: str = "IntervalTier") -> str:
    """A TextGrid in the long text format of Praat."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0 ", "xmax = 1 "]
    lines += ["tiers? <exists> ", f"size = {len(tiers)} ", "item []: "]
    for i, (name, entries) in enumerate(tiers.items(), start=1):
        lines += [f"    item [{i}]:", f'        class = "{kind}" ', f'        name = "{quoted(name)}" ']
        lines += ["        xmin = 0 ", "        xmax = 1 ", f"        intervals: size = {len(entries)} "]
        for n, (start, end, label) in enumerate(entries, start=1):
            lines += [f"        intervals [{n}]:", f"            xmin = {start} "]
            lines += [f"            xmax = {end} ", f'            text = "{quoted(label)}" ']
    return "\n".join(lines) + "\n"


def short_form(tiers: dict[str, Entries]) -> str:
    lines = ['File type = "ooTextFile short"', '"TextGrid"', "", "0", "1", "<exists>", str(len(tiers))]
    for name, entries in tiers.items():
        lines += ['"IntervalTier"', f'"{quoted(name)}"', "0", "1", str(len(entries))]
        lines += [text for a, b, label in entries for text in (str(a), str(b), f'"{quoted(label)}"')]
    return "\n".join(lines) + "\n"


def quoted(label: str) -> str:
    return label.replace('"', '""')


def written(folder: Path, text: str | bytes, encoding: str = "utf-8") -> Path:
    path = folder / "a.TextGrid"
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def refusal(path: Path, tier: str | None = None) -> str:
    """The error message, without the path."""
    with pytest.raises(UserError) as error:
        read_textgrid(path, tier=tier)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)
    return str(error.value)[len(str(path)) :]


@pytest.mark.parametrize("form", [long_form, short_form])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "be"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_both_formats_are_read_in_every_encoding(
    form: Form, encoding: str, ending: str, tmp_path: Path
) -> None:
    text = form({"words": [(0, 1, "a")], "phones": [(0, 0.25, "ɑː"), (0.25, 1, "")]}).replace("\n", ending)
    text, encoding = ("\ufeff" + text, "utf-16-be") if encoding == "be" else (text, encoding)
    found = read_textgrid(written(tmp_path, text, encoding))
    assert found == [Interval(0.0, 0.25, "ɑː"), Interval(0.25, 1.0, "SIL")]


STRUCTURE = ["item [2]:", "intervals [9]:", 'text = "', "IntervalTier", '"TextTier"', "<exists>", "5"]


@pytest.mark.parametrize("form", [long_form, short_form])
@pytest.mark.parametrize("label", ['a "quoted" b', '"', *STRUCTURE])
def test_labels_that_look_like_structure_are_labels(form: Form, label: str, tmp_path: Path) -> None:
    found = read_textgrid(written(tmp_path, form({"phones": [(0, 0.5, label), (0.5, 1, "B")]})))
    assert [each.phone for each in found] == [label, "B"]


def test_a_label_of_several_lines_becomes_one(tmp_path: Path) -> None:
    assert read_textgrid(written(tmp_path, long_form({"phones": [(0, 1, " a\n b ")]})))[0].phone == "a b"


def test_comments_and_point_tiers_are_skipped(tmp_path: Path) -> None:
    points = '"TextTier"\n"clicks"\n0\n1\n2\n0.25\n"x ! y"\n0.5\n""\n! two "points\n'
    text = short_form({"clicks": [], "phones": TWO}).replace('"IntervalTier"\n"clicks"\n0\n1\n0\n', points)
    assert len(read_textgrid(written(tmp_path, text))) == 2
    assert "no tier of intervals named 'clicks'; its tiers are 'clicks', 'phones'" in refusal(
        written(tmp_path, text), "clicks"
    )


@pytest.mark.parametrize(
    ("names", "tier", "chosen"),
    [
        (["words", "phones"], None, "phones"),
        (["Phone", "words"], None, "Phone"),
        (["ORT", "MAU"], None, "MAU"),
        (["phone", "phones"], None, "phones"),
        (["anna - words", "anna - phones"], None, "anna - phones"),
        (["whatever"], None, "whatever"),
        (["words", "phones"], "words", "words"),
    ],
)
def test_the_phone_tier_is_chosen(names: list[str], tier: str | None, chosen: str, tmp_path: Path) -> None:
    path = written(tmp_path, long_form({name: [(0, 1, name)] for name in names}))
    assert read_textgrid(path, tier=tier)[0].phone == chosen


@pytest.mark.parametrize(
    ("text", "tier", "message"),
    [
        (long_form({"a": TWO, "b": TWO}), None, ": 2 tiers match; its tiers are 'a', 'b'; select the"),
        (long_form({"a": TWO}), "phones", ": no tier of intervals named 'phones'; its tiers are 'a'"),
        (long_form({}), None, ": no tier of intervals; its tiers are none"),
        (short_form({}).replace("<exists>\n0", "<absent>"), None, ": no tier of intervals"),
        (
            short_form({"a": TWO, "b": TWO}).replace('"b"', '"phone"').replace('"a"', '"phone"'),
            None,
            "'phone', 'phone'; rename one",
        ),
    ],
)
def test_a_missing_tier_is_refused(text: str, tier: str | None, message: str, tmp_path: Path) -> None:
    assert message in refusal(written(tmp_path, text), tier)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([(0, 0.5, "A"), (0.4, 1, "B")], ", line 20: begins before the interval above it ends"),
        ([(0, 0.5, "A"), (0.6, 0.55, "B")], ", line 20: ends at 0.55 s, before its start at 0.6 s"),
        ([(-1, 0.5, "A")], ", line 16: begins at -1 s, before the recording does"),
        ([(0, "nan", "A")], ", line 18: expected the end of an interval, a number, found '\"A\"'"),
        ([(0, "1e999", "A")], ", line 16: times from 0.0 to inf"),
        ([(0, "1.2.3", "A")], ", line 17: expected the end of an interval, a number, found '1.2.3'"),
    ],
)
def test_invalid_times_are_refused(entries: Entries, message: str, tmp_path: Path) -> None:
    assert message in refusal(written(tmp_path, long_form({"phones": entries})))


def test_gaps_zero_lengths_huge_times_and_rounding_are_read(tmp_path: Path) -> None:
    entries: Entries = [(0, 0.1, "A"), (0.2, 0.30000000000000004, "B"), (0.3, 0.3, "C"), (0.3, 1e12, "D")]
    found = read_textgrid(written(tmp_path, long_form({"phones": entries})))
    assert [each.phone for each in found] == list("ABCD") and found[3].end == 1e12
    assert all(a.end <= b.start for a, b in zip(found, found[1:]))


COMPLETE = long_form({"p": TWO})


def with_size(number: str) -> bytes:
    return COMPLETE.replace("size = 2 ", f"size = {number} ").encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ", line 1: the file ends before 'ooTextFile'"),
        (b"ooBinaryFile\x08TextGrid\0\0\0\x10", ", line 1: binary, not text"),
        (bytes(range(128, 256)) * 20, ", line 1: not UTF-8"),
        (b"\xff\xfe\x00", ", line 1: not UTF-16"),
        (COMPLETE.encode().replace(b"AA", b"\xc4"), ", line 18: not UTF-8; save it as UTF-8"),
        (b'"ooTextFile"', ", line 1: the file ends before 'TextGrid'"),
        (b'"ooTextFile" "Sound"', ", line 1: not a TextGrid: the header is missing"),
        (b"[1, 2]", ", line 1: expected 'ooTextFile', in quotes, found '2]'"),
        (with_size("3"), ", line 23: the file ends before the start of an interval"),
        (with_size("1"), ", line 20: more entries than the file declares"),
        (with_size("-1"), ", line 14: -1 intervals or points"),
        (with_size("9e99"), ", line 14: 9e+99 intervals"),
        (long_form({"p": TWO}, kind="Tier").encode(), ", line 10: 'Tier' is not a tier class"),
        (COMPLETE.replace("<exists>", "<perhaps>").encode(), ", line 6: expected <exists>"),
        (COMPLETE.replace('"AA"', '"AA').encode(), ", line 22: expected"),
    ],
)
def test_a_file_that_is_not_a_textgrid_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    assert message in refusal(written(tmp_path, content))


@FEW
@given(data=st.data())
def test_every_truncation_is_detected(data: st.DataObject, tmp_path: Path) -> None:
    """A truncated file never silently gives fewer intervals."""
    form = data.draw(st.sampled_from([long_form, short_form]))
    text = form({"phones": TWO, "words": TWO}).rstrip()
    kept = data.draw(st.integers(0, len(text) - 1))
    refusal(written(tmp_path, text[:kept]))


SPECIAL_CHARACTERS = "aɑ\"'<>![]0.5-:= \u2028\U0001f600"
LABELS = st.text(SPECIAL_CHARACTERS, min_size=1, max_size=8).map(lambda text: " ".join(text.split()))


@st.composite
def intervals(draw: st.DrawFn) -> list[Interval]:
    """Ordered intervals with gaps, at whole milliseconds."""
    cuts = sorted(draw(st.sets(st.integers(0, 10**6), min_size=2, max_size=16)))
    pairs = zip(cuts[::2], cuts[1::2])
    return [Interval(a / 1000, b / 1000, draw(LABELS.filter(bool))) for a, b in pairs]


@FEW
@given(written_intervals=intervals(), form=st.sampled_from([long_form, short_form]), wide=st.booleans())
def test_written_intervals_are_read_back(
    written_intervals: list[Interval], form: Form, wide: bool, tmp_path: Path
) -> None:
    entries: Entries = [(each.start, each.end, each.phone) for each in written_intervals]
    text = form({"phones": entries})
    assert read_textgrid(written(tmp_path, text, "utf-16" if wide else "utf-8")) == written_intervals


@FEW
@given(written_intervals=intervals(), form=st.sampled_from(["short_textgrid", "long_textgrid"]))
def test_files_by_praatio_are_read(written_intervals: list[Interval], form: str, tmp_path: Path) -> None:
    textgrid = pytest.importorskip("praatio.textgrid")
    made = textgrid.Textgrid()
    entries = [(each.start, each.end, each.phone) for each in written_intervals]
    made.addTier(textgrid.IntervalTier("phones", entries, 0, written_intervals[-1].end))
    made.save(str(tmp_path / "a.TextGrid"), format=form, includeBlankSpaces=True)
    found = read_textgrid(tmp_path / "a.TextGrid")
    assert [each for each in found if each in written_intervals] == written_intervals
    assert all(each.phone == "SIL" for each in found if each not in written_intervals)


@FEW
@given(content=st.binary(max_size=99) | st.text(SPECIAL_CHARACTERS + "\n", max_size=99).map(str.encode))
@pytest.mark.parametrize("header", [b"", b'"ooTextFile" "TextGrid" 0 1 <exists> 1 "IntervalTier" "a" 0 1 1 '])
def test_random_bytes_are_refused_or_read(header: bytes, content: bytes, tmp_path: Path) -> None:
    path = written(tmp_path, header + content)
    try:
        found = read_textgrid(path)
    except UserError as error:
        assert str(error).startswith(str(path))
    else:
        assert all(0 <= each.start <= each.end for each in found)


def test_a_long_file_is_read_in_linear_time(tmp_path: Path) -> None:
    entries: Entries = [(i, i + 1, "A") for i in range(30_000)]
    assert len(read_textgrid(written(tmp_path, short_form({"phones": entries})))) == 30_000
    refusal(written(tmp_path, '"ooTextFile" "TextGrid" ' + '"' * 300_001))
    refusal(written(tmp_path, "<" * 300_000 + '"ooTextFile" ' + "! " * 100_000))
