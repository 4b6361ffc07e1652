"""SIGINT and SIGTERM: the first one unwinds the work, a second one kills, and code can defer both."""

import io
import os
import signal
import threading
import time
from typing import Any

import pytest

from helpers.tiny import python
from speechvq.cli import command
from speechvq.runtime.signals import SIGNALS, Stopped, deferred_stop, postponed_stop, stop_signals

SLOW_END = """
import time
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
def work(arguments):
    try:
        print("started", flush=True)
        time.sleep(60)
    finally:
        print("unwinding", flush=True)
        time.sleep(60)
raise SystemExit(run(CommandParser("test"), work, []))
"""


@pytest.mark.parametrize("signum", SIGNALS)
def test_the_first_signal_raises_and_the_handlers_are_restored(signum: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    with pytest.raises(Stopped) as caught, stop_signals():
        signal.raise_signal(signum)
    assert caught.value.signum == signum and [signal.getsignal(each) for each in SIGNALS] == before


def test_a_deferred_signal_takes_effect_at_the_end() -> None:
    done = []
    with pytest.raises(Stopped), stop_signals(), deferred_stop():
        with deferred_stop():
            signal.raise_signal(signal.SIGTERM)
            done.append(1)
        done.append(2)
    assert done == [1, 2]
    with deferred_stop(), pytest.raises(KeyboardInterrupt):  # without a command there is nothing to defer
        signal.raise_signal(signal.SIGINT)


def test_an_ignored_signal_stays_ignored_and_other_threads_are_left_alone() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stop_signals():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)

    def inside() -> None:
        with stop_signals():
            found.append(signal.getsignal(signal.SIGTERM))

    found: list[object] = []
    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGTERM)]


def test_a_postponed_signal_comes_after_the_result() -> None:
    done = []

    def work() -> int:
        with postponed_stop():
            signal.raise_signal(signal.SIGTERM)
            return 3

    with pytest.raises(Stopped) as caught, stop_signals():
        done.append(work())
        time.sleep(5)
    assert done == [3] and caught.value.signum == signal.SIGTERM
    with pytest.raises(Stopped), stop_signals(), deferred_stop():
        done.append(work())  # the outer block decides when
    assert done == [3, 3]


def test_a_signal_while_a_line_is_written_does_not_write_it_twice() -> None:
    written = []

    class Raw(io.FileIO):
        def write(self, content: Any) -> int:
            written.append(bytes(content))
            signal.raise_signal(signal.SIGINT)
            return len(content)

    with Raw(os.devnull, "w") as raw:
        stream = io.BufferedWriter(command._Droppable(raw))
        with pytest.raises(Stopped), stop_signals():
            stream.write(b"started\n")
            stream.flush()
            time.sleep(5)
        stream.flush()
    assert written == [b"started\n"]


@pytest.mark.parametrize("second", SIGNALS)
def test_a_second_signal_ends_the_process_at_once(second: signal.Signals) -> None:
    process = python("-c", SLOW_END)
    assert process.stdout is not None and process.stdout.readline() == "started\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "unwinding\n"
    sent = time.monotonic()
    process.send_signal(second)
    _, error = process.communicate(timeout=30)
    assert process.returncode == -second and error == "" and time.monotonic() - sent < 5
