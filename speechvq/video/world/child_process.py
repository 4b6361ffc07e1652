"""A leash for a program that another library starts: it ends when whoever started it is gone, even by SIGKILL.

Only a process itself can ask the kernel for this, and it forgets it when it forks. So the library is given a
launcher in place of the program: it asks, and then becomes the program (prctl(2), PR_SET_PDEATHSIG).
"""

import os
import shlex
import sys
from pathlib import Path

_LAUNCHER = """
import ctypes, os, signal, sys
parent = os.getppid()
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG; programs that wait for orders do not hear SIGTERM
if os.getppid() == parent:  # else it went meanwhile, and nothing would be told any more
    os.execv(sys.argv[1], sys.argv[1:])
"""


def die_with_parent(program: str | Path, folder: str | Path) -> Path:
    """What to start in place of a program, with the same arguments.

    Args:
        program: that exists.
        folder: for the launcher; it must stay there while the program is started.

    Returns:
        The launcher; the program itself where the kernel has no leash (only Linux has).
    """
    if not sys.platform.startswith("linux"):
        return Path(program)
    code, launcher = Path(folder, "leash.py"), Path(folder, "leash.sh")
    code.write_text(_LAUNCHER, encoding="utf-8")
    words = shlex.join([sys.executable, "-IS", os.fspath(code), os.fspath(program)])
    launcher.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    launcher.chmod(0o700)
    return launcher
