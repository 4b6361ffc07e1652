"""Every command that imports torch says so first, and one that need not stays silent."""

import time

from helpers.tiny import python


def test_the_first_line_comes_before_torch() -> None:
    started = time.monotonic()
    process = python("-m", "speechvq.convert", "--list-speakers")
    assert process.stderr and process.stderr.readline() == "loading PyTorch ...\n"
    seconds = time.monotonic() - started
    printed, error = process.communicate(timeout=60)
    assert process.returncode == 0 and printed and not error
    assert seconds < time.monotonic() - started  # the rest took longer


def test_a_command_without_torch_says_nothing() -> None:
    _, error = python("-m", "speechvq.train", "--list-configs").communicate(timeout=60)
    assert error == ""
