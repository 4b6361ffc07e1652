"""SIGTERM and SIGINT during training: the loop saves before the process exits."""

import os
import signal
import threading
from types import TracebackType
from typing import Any

import torch

from speechvq.runtime import distributed
from speechvq.runtime.logging import logger


class Interrupted(Exception):
    """A signal asked the run to stop; a checkpoint was written. The exit code is 128 + `signum`."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}; the same command continues from here")
        self.signum = signum


class StopSignals:
    """Records SIGTERM and SIGINT while it is entered. A second signal has its usual effect.

    Outside the main thread Python cannot handle signals, so nothing is recorded there.
    """

    signum: int = 0

    def any_rank_signalled(self, device: torch.device) -> int:
        """The signal that any process received, or 0; the same on each, so all stop after the same step."""
        if distributed.world_size() == 1:
            return self.signum
        received = torch.zeros(distributed.world_size(), device=device)
        received[distributed.rank()] = self.signum
        return int(distributed.all_reduce_sum(received).max())

    def __enter__(self) -> "StopSignals":
        self._process, self._before = os.getpid(), dict[int, Any]()
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGTERM, signal.SIGINT):
                self._before[signum] = signal.signal(signum, self._record)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def _record(self, signum: int, _: object) -> None:
        if os.getpid() != self._process:  # a data-loading process, forked from this one, which ends it
            return
        self.signum = signum
        for each in self._before:
            signal.signal(each, signal.SIG_DFL)
        logger.info("%s: saving after this step; send it again to exit at once", signal.Signals(signum).name)
