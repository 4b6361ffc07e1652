"""SIGINT (Ctrl-C) and SIGTERM while a command works: the first one unwinds the work, the second one kills."""

import _thread
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
REPEAT_AFTER = 0.02  # seconds until a swallowed signal is sent again


class Stopped(KeyboardInterrupt):
    """A signal asked the process to stop. The exit code is 128 + `signum`."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


class _StopHandler:
    """The handler of both signals. After the first one, they have the system's default effect."""

    def __init__(self) -> None:
        self.process, self.deferrals, self.pending, self.received = os.getpid(), 0, 0, 0

    def __call__(self, signum: int, _: FrameType | None) -> None:
        if os.getpid() != self.process:  # a process that was forked from this one, for example to load data
            if signum == signal.SIGTERM:
                signal.signal(signum, signal.SIG_DFL)
                signal.raise_signal(signum)
            return
        self.received = signum
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        if not self.deferrals:
            raise Stopped(signum)
        self.pending = signum

    def unraisable(self, unraisable: Any, before: Callable[[Any], Any]) -> None:
        """A hook for `sys.unraisablehook`: send a signal again whose exception could not propagate.

        Python discards an exception that is raised in a callback from C, such as those of LLVM while numba
        compiles, in `__del__`, or in a callback of a weak reference.
        """
        if not isinstance(unraisable.exc_value, Stopped) or os.getpid() != self.process:
            before(unraisable)
            return
        self.send_again(unraisable.exc_value.signum)

    def stop(self, signum: int) -> None:
        """Unwind the work."""
        raise Stopped(signum)

    def send_again(self, signum: int) -> None:
        """Let the first signal come once more, soon after the caller has returned."""
        for each in SIGNALS:
            signal.signal(each, self)
        timer = threading.Timer(REPEAT_AFTER, _send_to_main_thread, [signum])
        timer.daemon = True
        timer.start()


def _send_to_main_thread(signum: int) -> None:
    """Unlike `signal.raise_signal`, this also ends a wait of the main thread."""
    main = threading.main_thread().ident
    if main is not None and hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main, signum)
    else:  # Windows
        _thread.interrupt_main(signal.Signals(signum))


_handler: _StopHandler | None = None


@contextmanager
def stop_signals() -> Iterator[Callable[[], int]]:
    """Raise `Stopped` in the block at the first SIGINT or SIGTERM; a second signal ends the process at once.

    Yields a function that returns the number of the signal that came, or 0. An extension module may turn
    `Stopped` into an exception of its own. If Python has to discard it, it is raised again soon after.

    The handlers are restored at the end. In a process that only runs a command of this package, the signals
    keep the system's default effect instead: a signal while Python exits would print a traceback. A signal
    that was ignored before stays ignored; outside the main thread nothing changes.
    """
    global _handler
    if threading.current_thread() is not threading.main_thread():
        yield lambda: 0
        return
    handler = _StopHandler()
    outer, _handler = _handler, handler
    before: dict[int, Any] = {}
    hook = sys.unraisablehook
    sys.unraisablehook = lambda unraisable: handler.unraisable(unraisable, hook)
    try:
        for each in SIGNALS:
            if (current := signal.getsignal(each)) is not signal.SIG_IGN:
                before[each] = current
                signal.signal(each, handler)
        yield lambda: handler.received
    finally:
        _handler, sys.unraisablehook = outer, hook
        for signum, earlier in before.items():
            signal.signal(signum, signal.SIG_DFL if _is_command() else earlier)


def deferred_stop() -> AbstractContextManager[None]:
    """Let a signal within the block take effect at its end.

    For code that must not be interrupted, such as `Thread.join`, which leaves a broken thread behind.
    """
    return _deferring(_StopHandler.stop)


def postponed_stop() -> AbstractContextManager[None]:
    """Let a signal within the block take effect soon after it.

    For a function whose result must not be lost: at the end of `deferred_stop` the exception would come
    before the function returns.
    """
    return _deferring(_StopHandler.send_again)


@contextmanager
def _deferring(then: Callable[[_StopHandler, int], None]) -> Iterator[None]:
    """Call `then` with a signal that came, at the end of the outermost block."""
    handler = _handler
    if handler is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    handler.deferrals += 1
    try:
        yield
    finally:
        handler.deferrals -= 1
        if handler.pending and not handler.deferrals:
            signum, handler.pending = handler.pending, 0
            then(handler, signum)


def _is_command() -> bool:
    """Whether the process was started as `python -m speechvq...` or by the script `speechvq`."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    name = spec.name if spec is not None else Path(getattr(main, "__file__", None) or "").name
    return name.partition(".")[0] == "speechvq"
