"""The interface of the commands: names of commands and flags, exit codes, and no tracebacks."""

import argparse
import errno
import io
import os
import signal
import sys
from pathlib import Path

import pytest

import speechvq
from helpers.tiny import python
from speechvq import (
    UserError,
    __main__,
    align,
    convert,
    decode,
    demo,
    draw,
    encode,
    enroll,
    export,
    generate,
    imagine,
    live,
    prepare,
    report,
    train,
)
from speechvq import evaluate as evaluate_command
from speechvq.cli import command
from speechvq.cli.parser import CommandParser
from speechvq.evaluate import (
    abx,
    alignments,
    baselines,
    codebook,
    compression,
    conversion,
    generation,
    likelihood,
    prior,
    purity,
    rollout,
    speakers,
    stages,
    voices,
)

PARSERS = {
    "prepare": prepare.build_parser,
    "train": train.build_parser,
    "encode": encode.build_parser,
    "convert": convert.build_parser,
    "live": live.build_parser,
    "decode": decode.build_parser,
    "export": export.build_parser,
    "enroll": enroll.build_parser,
    "generate": generate.build_parser,
    "align": align.build_parser,
    "evaluate abx": abx.build_parser,
    "evaluate baselines": baselines.build_parser,
    "evaluate conversion": conversion.build_parser,
    "evaluate stages": stages.build_parser,
    "evaluate voices": voices.build_parser,
    "evaluate prior": prior.build_parser,
    "evaluate generation": generation.build_parser,
    "evaluate purity": purity.build_parser,
    "evaluate codebook": codebook.build_parser,
    "evaluate speakers": speakers.build_parser,
    "evaluate alignments": alignments.build_parser,
    "evaluate compression": compression.build_parser,
    "evaluate likelihood": likelihood.build_parser,
    "evaluate rollout": rollout.build_parser,
    "draw": draw.build_parser,
    "imagine": imagine.build_parser,
    "report": report.build_parser,
    "demo": demo.build_parser,
}
# Long flags of every command; `tests/golden/flags.txt` pins them with their defaults.
FLAGS = {
    name: " ".join(
        sorted(text for action in build()._actions for text in action.option_strings if text.startswith("--"))
    )
    for name, build in PARSERS.items()
}


def test_every_command_has_a_parser_here() -> None:
    subjects = {f"evaluate {subject}" for subject in evaluate_command.SUBJECTS}
    assert set(FLAGS) == set(__main__.COMMANDS) - {"evaluate"} | subjects


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["--version"]) == 0
    assert evaluate_command.main(["--version"]) == 0
    assert capsys.readouterr().out == 2 * f"speechvq {speechvq.__version__}\n"


@pytest.mark.parametrize("name", FLAGS)
def test_every_command_prints_the_version(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        __main__.main([*name.split(), "--version"])
    assert capsys.readouterr().out == f"speechvq {speechvq.__version__}\n"


@pytest.mark.parametrize("name", FLAGS)
def test_help_shows_every_default(name: str) -> None:
    parser = PARSERS[name]()
    for action in parser._actions:
        if action.nargs != 0 and not action.required and action.default not in (None, "", []):
            assert "(default: " in parser._get_formatter()._expand_help(action), action.option_strings


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"]])
def test_the_commands_are_listed(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(argv) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == list(__main__.COMMANDS)


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["transmogrify"], "speechvq: error: no command 'transmogrify'; there are prepare, train, encode,"),
        (["evaluate", "taste"], "speechvq.evaluate: error: no subject 'taste'; there are conversion"),
        (
            ["convert", "--model", "nowhere", "--list-speakers"],
            "speechvq.convert: error: nowhere: no model here",
        ),
        (
            ["encode", "--model", "m", "--src", "nowhere.tsv", "--out", "o"],
            "speechvq.encode: error: nowhere.tsv: no",
        ),
        (
            ["train", "--config", "nowhere.yaml", "--out", "o"],
            "speechvq.train: error: nowhere.yaml: No such file",
        ),
        (["train", "--config", "voise", "--out", "o"], "speechvq.train: error: voise: no such configuration"),
        (["train", "--config", "voice"], "speechvq.train: error: --out is missing; give the run directory"),
        (["report", "--run", "nowhere"], "speechvq.report: error: nowhere: no run here"),
        (["prepare", "folder", "--out", "o"], "speechvq.prepare: error: --root is missing"),
        (
            ["evaluate", "conversion", "--converted", "x", "--manifest", "nowhere"],
            "speechvq.evaluate conversion: error: nowhere: no such manifest",
        ),
    ],
)
def test_a_mistake_gives_one_line_and_exit_code_2(
    argv: list[str],
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert __main__.main(argv) == 2
    error = capsys.readouterr().err
    assert error.startswith(line) and error.count("\n") == 1 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", FLAGS)
def test_help_and_wrong_flags(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        __main__.main([*name.split(), "--help"])
    assert capsys.readouterr().out.startswith(f"usage: python -m speechvq.{name} ")
    with pytest.raises(SystemExit, match="2"):
        __main__.main([*name.split(), "--no-such-flag"])
    error = capsys.readouterr().err
    assert error.startswith(f"usage: python -m speechvq.{name} ")
    assert f"\nspeechvq.{name}: error: " in error


def test_help_does_not_wait_for_torch() -> None:
    """All in one new process; an error that needs no model is as fast."""
    script = (
        "import contextlib, io, sys\n"
        "from speechvq.__main__ import main\n"
        f"for name in {list(__main__.COMMANDS)}:\n"
        "    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "        main([name, '--help'])\n"
        "assert main(['convert', '--model', 'm']) == 2\n"
        "slow = {'torch', 'librosa', 'numba', 'matplotlib', 'sklearn', 'pocketsphinx'}\n"
        "print(sorted(slow & set(sys.modules)))\n"
    )
    printed, error = python("-c", script).communicate(timeout=60)
    assert printed == "[]\n" and error.count("\n") == 1


def test_as_a_program() -> None:
    process = python("-m", "speechvq", "transmogrify")
    printed, error = process.communicate(timeout=60)
    assert (process.returncode, printed) == (2, "") and error.count("\n") == 1


def parser() -> CommandParser:
    return CommandParser("test")


def test_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(_: argparse.Namespace) -> None:
        raise UserError("a\nb.wav: no such file")

    def break_down(_: argparse.Namespace) -> None:
        raise ZeroDivisionError

    assert command.run(parser(), lambda _: None, []) == 0
    assert command.run(parser(), refuse, []) == 2
    assert capsys.readouterr().err == "speechvq.test: error: a b.wav: no such file\n"
    assert command.run(parser(), break_down, []) == 1
    *trace, last = capsys.readouterr().err.splitlines()
    assert trace[0].startswith("Traceback") and trace[-1] == "ZeroDivisionError"
    assert last.startswith("speechvq.test: crashed: ") and "report it" in last
    assert f"speechvq {speechvq.__version__}" in last and last.endswith(": python -m speechvq.test")


@pytest.mark.parametrize(
    ("signum", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
@pytest.mark.parametrize(
    ("resumes", "more"), [(False, ""), (True, "; the same command continues where this one stopped")]
)
def test_signals(
    signum: int, code: int, word: str, resumes: bool, more: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signum)

    def interrupt(_: argparse.Namespace) -> None:
        signal.raise_signal(signum)

    assert command.run(parser(), interrupt, [], resumes=resumes) == code
    assert capsys.readouterr().err == f"speechvq.test: {word}{more}\n"
    assert signal.getsignal(signum) == before


@pytest.mark.parametrize("kind", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.ENOTDIR, errno.ENAMETOOLONG])
def test_a_refusal_of_the_system_is_one_line(kind: int, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(_: argparse.Namespace) -> None:
        raise OSError(kind, os.strerror(kind), "a.wav")

    assert command.run(parser(), refuse, []) == 2
    assert capsys.readouterr().err.startswith(f"speechvq.test: error: a.wav: {os.strerror(kind)}; check ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that stands for a full disk")
def test_standard_output_on_a_full_disk_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        process = python("-m", "speechvq.convert", "--list-speakers", stdout=full)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 2 and "No space left" in error.splitlines()[-1] and "Traceback" not in error


def test_a_name_in_another_encoding_can_be_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "utf-8"))
    assert command.run(parser(), lambda _: print("b\udce9.wav", flush=True), []) == 0
    assert written.getvalue() == b"b\\udce9.wav\n"
    monkeypatch.undo()


def test_the_configurations_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["train", "--list-configs"]) == 0
    printed = capsys.readouterr().out
    assert "\nvoice " in printed and "\nvctk64 " in printed
