"""Training in child processes that can be killed, without importing everything each time.

One process imports everything. It forks a child for every line of arguments, and prints the child's process
id and its wait status.
"""

import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from helpers.tiny import python


class Launcher:
    """The forking process; it has one child at a time."""

    def __init__(self) -> None:
        self._process = python(__file__, stdin=-1)
        self._read()

    def start(self, argv: Sequence[str], log: Path) -> int:
        """Start `speechvq.train` with its stderr in a file; returns the process id."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([list(argv), str(log)]) + "\n")
        self._process.stdin.flush()
        return int(self._read())

    def wait(self) -> int:
        """Exit code of the child; negative if a signal ended it."""
        return os.waitstatus_to_exitcode(int(self._read()))

    def close(self) -> None:
        """End the server process."""
        self._process.communicate(timeout=30)

    def _read(self) -> str:
        assert self._process.stdout is not None and self._process.stderr is not None
        line = self._process.stdout.readline()
        assert line, self._process.stderr.read()
        return line


def serve() -> None:
    """Fork a child per line and wait for it, until the input ends."""
    import torch

    from speechvq import train

    torch.set_num_threads(1)
    torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])  # the first optimizer imports for seconds
    print("ready", flush=True)
    for line in sys.stdin:
        argv, log = json.loads(line)
        child = os.fork()
        if child == 0:
            os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
            try:
                code = train.main(argv)
            except BaseException:
                traceback.print_exc()
                code = 1
            sys.stderr.flush()
            os._exit(code)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    serve()
