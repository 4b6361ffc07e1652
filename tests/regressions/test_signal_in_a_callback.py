"""SIGTERM while numba compiled: a traceback from a callback of LLVM, and the command went on to its end."""

import ctypes
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable

import pytest

from speechvq.runtime.signals import SIGNALS, Stopped, stop_signals


def in_a_callback_from_c(function: Callable[[], None]) -> None:
    """LLVM calls Python in this way."""
    ctypes.CFUNCTYPE(None)(function)()


def in_a_finalizer(function: Callable[[], None]) -> None:
    """As when an object is deleted."""

    class Deleted:
        def __del__(self) -> None:
            function()

    Deleted()


def in_a_weak_reference(function: Callable[[], None]) -> None:
    """As when a cache notices that its key is gone."""

    class Key: ...

    key = Key()
    reference = weakref.ref(key, lambda _: function())
    del key
    assert reference() is None


PLACES = [in_a_callback_from_c, in_a_finalizer, in_a_weak_reference]


@pytest.mark.parametrize("signum", SIGNALS)
@pytest.mark.parametrize("place", PLACES)
def test_the_work_stops_soon_after_and_nothing_is_printed(
    place: Callable[[Callable[[], None]], None], signum: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    hook = sys.unraisablehook
    with pytest.raises(Stopped) as caught, stop_signals():
        place(lambda: signal.raise_signal(signum))
        time.sleep(10)
        pytest.fail("the signal is lost")
    assert caught.value.signum == signum and capfd.readouterr() == ("", "")
    assert sys.unraisablehook is hook


def test_a_signal_that_is_discarded_several_times_still_stops_the_work() -> None:
    times = []

    def wait() -> None:
        times.append(time.monotonic())
        while time.monotonic() < times[-1] + 0.2:
            pass

    with pytest.raises(Stopped), stop_signals():
        in_a_callback_from_c(lambda: signal.raise_signal(signal.SIGTERM))
        in_a_callback_from_c(wait)  # the repeated signal arrives in here
        time.sleep(10)
        pytest.fail("the signal is lost")
    assert len(times) == 1


def test_a_blocked_main_thread_is_woken() -> None:
    begin = time.monotonic()
    with pytest.raises(Stopped), stop_signals():
        in_a_callback_from_c(lambda: signal.raise_signal(signal.SIGINT))
        threading.Event().wait(10)
    assert time.monotonic() - begin < 5


def test_other_discarded_exceptions_reach_the_earlier_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: seen.append(unraisable.exc_value))
    with stop_signals():
        in_a_callback_from_c(lambda: int("x"))
    [error] = seen
    assert isinstance(error, ValueError)
