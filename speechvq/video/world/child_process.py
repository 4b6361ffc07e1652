"""Ending a program that a library starts when the parent process ends, even by SIGKILL.

Linux kills a process on the death of its parent if the process has requested it (prctl(2), PR_SET_PDEATHSIG).
The request is not inherited by a fork. The library therefore starts a launcher instead of the program: the
launcher makes the request and then executes the program.
"""

import os
import shlex
import sys
from pathlib import Path

_LAUNCHER = """
import ctypes, os, signal, sys
parent = os.getppid()
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG; the program may ignore SIGTERM
if os.getppid() == parent:  # else the parent is already gone
    os.execv(sys.argv[1], sys.argv[1:])
"""


def die_with_parent(program: str | Path, folder: str | Path) -> Path:
    """Write a launcher that takes the same arguments as a program.

    Args:
        program: an existing executable.
        folder: receives the launcher, which must exist until the program has started.

    Returns:
        The launcher; on systems other than Linux the program itself.
    """
    if not sys.platform.startswith("linux"):
        return Path(program)
    code, launcher = Path(folder, "launcher.py"), Path(folder, "launcher.sh")
    code.write_text(_LAUNCHER, encoding="utf-8")
    words = shlex.join([sys.executable, "-IS", os.fspath(code), os.fspath(program)])
    launcher.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    launcher.chmod(0o700)
    return launcher
