"""Phone labels that follow their sound when silence is cut from its front."""

from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.errors import UserError

UNITS_PER_SECOND = 10_000_000  # HTK label files count in units of 100 ns


def shifted_labels(text: str, *, offset: int, samples: int) -> str:
    """The lines `start end phone` of a .lab file after `offset` samples were cut from the front of its sound.

    Args:
        text: the file's content, units of 100 ns.
        offset: samples at 16 kHz cut before what is left.
        samples: length of what is left; times are clipped to it, and phones that fall outside go.

    Raises:
        UserError: a line has no two whole numbers and a phone, or ends before it starts.
    """
    unit = UNITS_PER_SECOND // SAMPLE_RATE  # 625, exactly
    limit = samples * unit
    lines = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        start, end, phone = _interval(line, number)
        start, end = (min(max(time - offset * unit, 0), limit) for time in (start, end))
        if start < end:
            lines.append(f"{start} {end} {phone}\n")
    return "".join(lines)


def _interval(line: str, number: int) -> tuple[int, int, str]:
    fields = line.split(maxsplit=2)
    if len(fields) != 3 or not (fields[0].isdecimal() and fields[1].isdecimal()):
        raise UserError(f"line {number}: {line.strip()[:40]!r} is not `start end phone` in units of 100 ns")
    start, end = int(fields[0]), int(fields[1])
    if end < start:
        raise UserError(f"line {number}: ends at {end}, before it starts at {start}")
    return start, end, fields[2].strip()
