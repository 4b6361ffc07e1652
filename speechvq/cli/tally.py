"""The last lines of a command with many inputs: how many are done, skipped and failed, and why."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from speechvq.errors import UserError
from speechvq.runtime.logging import logger


def tally_line(done: int, skipped: int, failed: int) -> str:
    """The line for numbers of inputs."""
    return f"{done} done, {skipped} skipped (unchanged), {failed} failed"


@dataclass
class Tally:
    """What became of the inputs so far."""

    done: int = 0
    skipped: int = 0  # finished by an earlier call, and unchanged
    failures: list[str] = field(default_factory=list)  # a line for each that names file and reason

    def line(self) -> str:
        """The numbers."""
        return tally_line(self.done, self.skipped, len(self.failures))

    def check(self) -> None:
        """Refuse a call after which no input has a result. Some failures among many inputs are no error.

        Raises:
            UserError: every input failed.
        """
        if self.done or self.skipped or not self.failures:
            return
        if len(self.failures) > 1:
            self.log(is_batch=False)
        count = f"none of {len(self.failures)} recordings could be read; " if len(self.failures) > 1 else ""
        raise UserError(f"{count}{self.failures[0]}")

    def log(self, is_batch: bool) -> None:
        """Log the failures, and the numbers of a batch."""
        for failure in self.failures:
            logger.warning("failed: %s", failure)
        if is_batch:
            logger.info("%s", self.line())


@contextmanager
def tallied(skipped: int = 0, *, is_batch: bool = True) -> Iterator[Tally]:
    """Yield a tally, and log failures and numbers at the end, also after Ctrl-C.

    Args:
        skipped: inputs whose results are finished and unchanged.
        is_batch: whether the numbers are of interest; they are not for a single input.

    Raises:
        UserError: every input failed.
    """
    tally = Tally(skipped=skipped)
    try:
        yield tally
        tally.check()
    except KeyboardInterrupt:
        tally.log(is_batch)
        raise
    tally.log(is_batch)
