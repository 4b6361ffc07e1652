"""Shared flags: a value out of bounds costs one line, and defaults are as documented."""

import math

import pytest

from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.errors import UserError


def parser() -> CommandParser:
    made = CommandParser("test")
    flags.add_seed(made, "sampling")
    flags.add_temperature(made)
    flags.add_top_p(made)
    flags.add_limit(made)
    flags.add_jobs(made)
    flags.add_number(made, "--count", int, 1, 16, default=4, help="images")
    return made


def test_defaults() -> None:
    assert vars(parser().parse_args([])) == {
        "seed": 0, "temperature": 1.0, "top_p": 1.0, "limit": 0, "jobs": None, "count": 4
    }  # fmt: skip


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["--seed", "-1"], "--seed -1: give a whole number from 0 to 2^63 - 1"),
        (["--seed", str(2**63)], "give a whole number"),
        (["--temperature", "-1"], "--temperature -1.0: give 0 to 100"),
        (["--temperature", "nan"], "--temperature nan: give 0 to 100"),
        (["--top-p", "0"], "--top-p 0.0: give more than 0, at most 1"),
        (["--top-p", "nan"], "--top-p nan: give more than 0"),
        (["--limit", "-2"], "--limit -2: give the number of recordings, or 0 for all"),
        (["--jobs", "0"], "--jobs 0: give at least one process"),
        (["--count", "17"], "--count 17: give 1 to 16"),
    ],
)
def test_a_value_out_of_bounds_gives_one_line(
    argv: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match=line.replace("^", r"\^")):
        parser().parse_args(argv)
    assert run(parser(), lambda arguments: None, argv) == 2
    error = capsys.readouterr().err
    assert error.startswith("speechvq.test: error: ") and line in error and error.count("\n") == 1


def test_values_at_the_bounds() -> None:
    given = parser().parse_args(
        ["--seed", str(2**63 - 1), "--temperature", "0", "--top-p", "1", "--count", "16"]
    )
    assert (given.seed, given.temperature, given.top_p, given.count) == (2**63 - 1, 0.0, 1.0, 16)
    assert math.isfinite(parser().parse_args(["--temperature", "100"]).temperature)
