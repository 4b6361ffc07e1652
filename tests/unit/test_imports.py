"""What a command imports before it needs it: modules are counted, since seconds depend on the machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from speechvq.__main__ import COMMANDS
from speechvq.evaluate import SUBJECTS

ROOT = Path(__file__).parents[2]
SLOW = ("torch", "torchaudio", "numba", "scipy", "sklearn", "librosa", "matplotlib", "tqdm", "PIL", "jinja2")
MOST_MODULES = 350  # of a command at --help, the interpreter's own included; PyTorch alone is 1,000
HELP = """
import contextlib, importlib, io, os, sys
for name in sys.argv[1:]:
    if os.fork():  # each command starts from the same modules
        _, status = os.wait()
        assert status == 0, name
        continue
    with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.suppress(SystemExit):
        importlib.import_module(f"speechvq.{name}").main(["--help"])
    assert "--version" in text.getvalue() or "SUBJECT" in text.getvalue(), name
    print(name, len(sys.modules), *sys.modules)
    sys.stdout.flush()
    os._exit(0)
"""


def imported(code: str, *arguments: str) -> str:
    """Standard output of a fresh interpreter, in which nothing is imported yet."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="starts the commands by fork")
def test_help_imports_nothing_slow() -> None:
    names = [*COMMANDS, *(f"evaluate.{subject}" for subject in SUBJECTS)]
    lines = imported(HELP, *names).splitlines()
    assert [line.split()[0] for line in lines] == names
    for line in lines:
        name, count, *modules = line.split()
        assert not set(SLOW) & set(modules), f"{name}: {sorted(set(SLOW) & set(modules))}"
        assert int(count) <= MOST_MODULES, f"{name}: {count} modules"


MISTAKES = {
    "no such recording": ("convert", "--src", "missing.wav", "--target-speaker", "p225"),
    "unknown speaker": ("convert", "--src", "docs/source.flac", "--target-speaker", "nobody"),
    "no such model": ("convert", "--src", "docs/source.flac", "--target-speaker", "a", "--model", "missing"),
    "output of no known format": (
        "convert",
        "--src",
        "docs/source.flac",
        "--target-speaker",
        "p225",
        "--out",
        "a.mp3",
    ),
    "encode without a model": ("encode", "--src", "docs/source.flac", "--out", "out", "--model", "missing"),
    "invalid number": ("convert", "--src", "docs/source.flac", "--target-speaker", "p225", "--seed", "-1"),
    "no such configuration": ("train", "--config", "missing.yaml", "--out", "out"),
    "no such corpus": ("prepare", "folder", "--root", "missing", "--out", "out"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_answered_before_torch_is_imported(name: str, tmp_path: Path) -> None:
    command, *arguments = MISTAKES[name]
    places = {"out": str(tmp_path / "out"), "missing": str(tmp_path / "missing")}
    code = (
        "import importlib, sys\n"
        "code = importlib.import_module('speechvq.' + sys.argv[1]).main(sys.argv[2:])\n"
        "print(code, *sys.modules)\n"
    )
    code_and_modules = imported(code, command, *(places.get(each, each) for each in arguments)).split()
    assert code_and_modules[0] == "2"
    assert not {"torch", "numba", "scipy"} & set(code_and_modules)


def test_a_conversion_imports_only_what_it_needs(tmp_path: Path) -> None:
    """Beyond PyTorch: no plots, no tables of metrics, no training, and of numba not its CUDA part."""
    arguments = ["--src", "docs/source.flac", "--target-speaker", "p225", "--out", str(tmp_path / "a.wav")]
    code = (
        "import sys, torch\n"
        "before = len(sys.modules)\n"
        "import speechvq.convert\n"
        "assert speechvq.convert.main(sys.argv[1:]) == 0\n"
        "print(len(sys.modules) - before, *sys.modules)\n"
    )
    count, *modules = imported(code, *arguments).splitlines()[-1].split()
    slow = {
        "torchaudio.io",
        "sklearn",
        "librosa",
        "matplotlib",
        "PIL",
        "speechvq.training",
        "speechvq.metrics",
    }
    assert not slow & set(modules)
    assert not any(each.startswith(("speechvq.training", "speechvq.metrics")) for each in modules)
    assert int(count) < 650, count
