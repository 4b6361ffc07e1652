"""Alignments with every kind of mistake, as .lab, TextGrid and CTM files, read by `evaluate purity`."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from faults.bench import Bench
from faults.case import Case, Setting
from faults.units import check_purity, good_intervals, make_codes, make_labels, warm_up
from speechvq.alignment.intervals import Interval

TRIED = (
    "Files of .lab, long and short TextGrid, and .ctm, each changed by a named mistake (encodings, "
    "missing tier, overlaps, negative, reversed, infinite and huge times, gaps, longer and shorter than "
    "the sound, quotes and control characters in labels, wrong columns, false counts, 100,000 "
    "labels) or by random bytes, cuts and repeats. Each gives finite numbers or one line, within 15 s "
    "and 512 MB."
)
RANDOM_CASES = 1_100
NAMES = ("a", "b", "c")
Rows = list[tuple[str, str, str]]  # start and end as text, label


def cases(setting: Setting) -> Iterator[Case]:
    """Named mistakes in every format; then random damage."""
    bench = Bench(setting.folder / "bench")
    warm_up(bench)
    codes = make_codes(setting.folder / "codes", NAMES, setting.rng())
    good = good_intervals(setting.rng())
    named = [
        (f"{name}, {form}", FORMATS[form], change) for name, change in MISTAKES.items() for form in FORMATS
    ]
    for number, (name, form, change) in enumerate(setting.some(named, 8)):
        content = form(change(rows_of(good))).encode("utf-8", "surrogatepass")
        yield case(name, content, form, codes, setting.folder / f"named {number}")
    for name, encoding in (
        ("utf-16", "utf-16"),
        ("utf-8 with mark", "utf-8-sig"),
        ("latin", "latin-1"),
        ("utf-32", "utf-32"),
    ):
        for label, form in FORMATS.items():
            content = form([(a, b, "é") for a, b, _ in rows_of(good)]).encode(encoding)
            yield case(f"{name}, {label}", content, form, codes, setting.folder / f"{name} {label}")
    for number in range(5 if setting.short else RANDOM_CASES):
        rng = setting.rng(1, number)
        label = list(FORMATS)[rng.integers(len(FORMATS))]
        content = damaged(FORMATS[label](rows_of(good_intervals(rng))).encode(), rng)
        yield case(f"random {number}, {label}", content, FORMATS[label], codes, setting.folder / f"r{number}")


def case(name: str, content: bytes, form: Callable[[Rows], str], codes: Path, place: Path) -> Case:
    """One utterance with this alignment, beside two that are whole."""

    def check() -> None:
        labels = make_labels(place / "labels", NAMES[1:], np.random.default_rng(0))
        (labels / f"a.{ENDING[form]}").write_bytes(content)
        check_purity(codes, labels, place)
        shutil.rmtree(place, ignore_errors=True)

    return Case(name, check)


# -- formats


def rows_of(intervals: list[Interval]) -> Rows:
    """Times as decimal seconds, and labels."""
    return [(f"{each.start:g}", f"{each.end:g}", each.phone) for each in intervals]


def lab(rows: Rows) -> str:
    """An HTK label file."""
    return "".join(f"{units(start)} {units(end)} {label}\n" for start, end, label in rows)


def units(seconds: str) -> str:
    """Seconds in units of 100 ns, where they are a number that has some."""
    try:
        return str(round(float(seconds) * 1e7))
    except (ValueError, OverflowError):
        return seconds


def long_textgrid(rows: Rows) -> str:
    """A TextGrid in the long form."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", "xmax = 2"]
    lines += ["tiers? <exists>", "size = 1", "item []:", "    item [1]:", '        class = "IntervalTier"']
    lines += ['        name = "phones"', "        xmin = 0", "        xmax = 2"]
    lines += [f"        intervals: size = {len(rows)}"]
    for number, (start, end, label) in enumerate(rows, start=1):
        lines += [
            f"        intervals [{number}]:",
            f"            xmin = {start}",
            f"            xmax = {end}",
        ]
        lines += [f'            text = "{label}"']
    return "\n".join(lines) + "\n"


def short_textgrid(rows: Rows) -> str:
    """A TextGrid in the short form."""
    lines = ['File type = "ooTextFile short"', '"TextGrid"', "", "0", "2", "<exists>", "1"]
    lines += ['"IntervalTier"', '"phones"', "0", "2", str(len(rows))]
    lines += [line for start, end, label in rows for line in (start, end, f'"{label}"')]
    return "\n".join(lines) + "\n"


def ctm(rows: Rows) -> str:
    """A CTM file of the utterance."""
    return "".join(f"a 1 {start} {length(start, end)} {label}\n" for start, end, label in rows)


def length(start: str, end: str) -> str:
    """Duration, where both times are numbers."""
    try:
        return f"{float(end) - float(start):g}"
    except ValueError:
        return end


FORMATS: dict[str, Callable[[Rows], str]] = {
    "lab": lab,
    "long TextGrid": long_textgrid,
    "short TextGrid": short_textgrid,
    "ctm": ctm,
}
ENDING = {lab: "lab", long_textgrid: "TextGrid", short_textgrid: "TextGrid", ctm: "ctm"}


# -- mistakes


def at(index: int, **new: str) -> Callable[[Rows], Rows]:
    """Replaces start, end or label of a row."""

    def change(rows: Rows) -> Rows:
        start, end, label = rows[index]
        row = (new.get("start", start), new.get("end", end), new.get("label", label))
        return [row if place == index % len(rows) else each for place, each in enumerate(rows)]

    return change


def repeated(rows: Rows, count: int) -> Rows:
    """Many short labels within the utterance."""
    cuts = np.linspace(0, 2, count + 1)
    return [(f"{a:.7f}", f"{b:.7f}", f"P{i % 40}") for i, (a, b) in enumerate(zip(cuts, cuts[1:]))]


MISTAKES: dict[str, Callable[[Rows], Rows]] = {
    "nothing wrong": lambda rows: rows,
    "no rows": lambda rows: [],
    "one row": lambda rows: rows[:1],
    "overlap": at(3, start="0.1"),
    "negative start": at(0, start="-1"),
    "negative times": lambda rows: [(f"-{a}", f"-{b}", label) for a, b, label in rows],
    "reversed times": lambda rows: [(b, a, label) for a, b, label in rows],
    "reversed order": lambda rows: rows[::-1],
    "empty interval": at(2, end="0.4"),
    "gap": lambda rows: rows[:3] + rows[6:],
    "longer than the sound": at(-1, end="900"),
    "much later": lambda rows: [
        (f"{float(a) + 1e4:g}", f"{float(b) + 1e4:g}", label) for a, b, label in rows
    ],
    "shorter than the sound": lambda rows: rows[:2],
    "nan": at(2, start="nan"),
    "infinite": at(-1, end="inf"),
    "1e400": at(-1, end="1e400"),
    "1e300": at(-1, end="1e300"),
    "a hundred digits": at(-1, end="9" * 100),
    "ten thousand digits": at(-1, end="9" * 10_000),
    "sexagesimal": at(2, start="0:00.4"),
    "comma": at(2, start="0,4"),
    "hexadecimal": at(2, start="0x1"),
    "other digits": at(2, start="٠.٤"),
    "underscore": at(2, start="0_4"),
    "quote in a label": at(2, label='A"B'),
    "two quotes in a label": at(2, label='""'),
    "empty label": at(2, label=""),
    "spaces in a label": at(2, label="A B  C"),
    "tab in a label": at(2, label="A\tB"),
    "line break in a label": at(2, label="A\nB"),
    "NUL in a label": at(2, label="A\0B"),
    "bell and escape in a label": at(2, label="\a\x1b[31mA"),
    "line separator in a label": at(2, label="A\u2028B"),
    "right to left in a label": at(2, label="\u202eAA"),
    "a label of a million characters": at(2, label="A" * 1_000_000),
    "every label another": lambda rows: [(a, b, f"P{i}") for i, (a, b, _) in enumerate(rows)],
    "1,000 labels": lambda rows: repeated(rows, 1_000),
    "100,000 labels": lambda rows: repeated(rows, 100_000),
    "markup in a label": at(2, label="<script>alert(1)</script>"),
    "dollars in a label": at(2, label="$\\frac{"),
}


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Content after one to three random changes of its bytes or lines."""
    for _ in range(rng.integers(1, 4)):
        place, size = int(rng.integers(len(content) + 1)), int(rng.integers(1, 40))
        lines = content.split(b"\n")
        line = int(rng.integers(len(lines)))
        match rng.integers(8):
            case 0:
                content = content[:place]
            case 1:
                content = content[:place] + rng.bytes(size) + content[place + size :]
            case 2:
                content = content[:place] + rng.bytes(size) + content[place:]
            case 3:
                content = content[:place] + content[place + size :]
            case 4:
                content = b"\n".join(lines[:line] + lines[line + 1 :])
            case 5:
                content = b"\n".join(lines[: line + 1] + lines[line:])
            case 6:
                words = lines[line].split(b" ")
                rng.shuffle(words)
                content = b"\n".join([*lines[:line], b" ".join(words), *lines[line + 1 :]])
            case _:
                content = content.replace(bytes([content[place - 1]]) if content else b"0", rng.bytes(1))
    return content
