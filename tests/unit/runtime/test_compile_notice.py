"""The line about compilation: before numba compiles, once, and not for code that is loaded from its cache."""

import os
from pathlib import Path

import pytest
from numba import njit

from helpers.tiny import python
from speechvq.runtime.compilation.notice import compile_notice

LINE = "compiling the adder, once for this machine (some seconds) ..."
PROGRAM = """
from numba import njit
from speechvq.runtime.compilation.notice import compile_notice

@njit(cache=True)
def add(a, b):
    return a + b

with compile_notice("the adder"):
    print(add(1, 2))
"""


def test_a_compilation_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    add = njit(lambda a, b: a + b)
    with compile_notice("the adder"):
        assert add(1, 2) == 3 and add(1.0, 2.0) == 3.0  # compiled for integers, then for floats
        assert add(3, 4) == 7
    add(1j, 2j)  # outside
    assert [record.getMessage() for record in caplog.records] == [LINE]


def test_code_from_the_cache_logs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "adder.py").write_text(PROGRAM)
    for expected in (f"{LINE}\n", ""):
        assert python(str(tmp_path / "adder.py")).communicate(timeout=60) == ("3\n", expected)
