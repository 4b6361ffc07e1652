"""Hostile model, voice, prior and checkpoint directories, see `faults.hostile`."""

from collections.abc import Iterator

from faults import hostile
from faults.case import Case, Setting

TRIED = (
    "Speech models by convert and encode, priors by generate, image models, grid priors and second "
    "stages by draw, video priors by imagine, voice files by convert, checkpoints by train: cut, bits "
    "flipped, blocks overwritten, other texts, pipes and devices in a file's place, values and keys of "
    "the YAML and JSON, names, types, shapes and values of tensors, false headers. Each gives a "
    "result with finite values or one line that names the file, no code is run, within 10 s of processor "
    "time and 400 MB."
)
CASES = 1_170
SHORT = ("voice", "checkpoint")


def cases(setting: Setting) -> Iterator[Case]:
    """The cases of every kind of directory."""
    for name in SHORT if setting.short else hostile.FAMILIES:
        lines: list[str] = []
        count = 3 if setting.short else hostile.share(name, CASES)
        hostile.run_family(name, count, setting.seed, on_case=lines.append)
        for line in lines:
            case, _, result = line.partition(": ")
            yield Case(case, lambda result=result: check(result))  # type: ignore[misc]


def check(result: str) -> None:
    """Raise if a case fell."""
    assert not result.startswith("FELL "), result.removeprefix("FELL ")
