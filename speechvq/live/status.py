"""The status line of a live conversion, and its summary."""

import sys
import time

from speechvq.cli.tables import percent
from speechvq.live.converter import Latency, LiveConverter
from speechvq.live.endpoints import Input, Output
from speechvq.runtime.logging import logger

TERMINAL_SECONDS, LOG_SECONDS = 0.5, 30.0  # between two lines


class Status:
    """Shows latency, load and drop-outs: one line on a terminal, and seldom a new one elsewhere."""

    def __init__(self, converter: LiveConverter, source: Input, target: Output, *, quiet: bool) -> None:
        """
        Args:
            converter: of the samples.
            source: of the samples.
            target: where they go.
            quiet: show nothing.
        """
        self._converter, self._source, self._target, self._quiet = converter, source, target, quiet
        self._terminal = sys.stderr.isatty()
        self._shown = time.monotonic()

    @property
    def latency(self) -> Latency:
        """All parts of the latency."""
        devices = 1000 * (self._source.latency + self._target.latency)
        return self._converter.latency._replace(devices=devices, buffer=1000 * self._target.buffered)

    @property
    def dropouts(self) -> int:
        """Interruptions so far."""
        return self._source.lost + self._target.lost

    def update(self) -> None:
        """Show the line if it is time."""
        now = time.monotonic()
        if self._quiet or now - self._shown < (TERMINAL_SECONDS if self._terminal else LOG_SECONDS):
            return
        self._shown = now
        if self._terminal:
            print(f"\r{self._line()}\x1b[K", end="", file=sys.stderr, flush=True)
        else:
            logger.info("%s", self._line())

    def finish(self) -> None:
        """Log the summary."""
        if self._quiet:
            return
        if self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        parts, converter = self.latency, self._converter
        named = [f"{name} {value:.0f}" for name, value in parts._asdict().items() if value >= 0.5]
        logger.info("%.1f s converted; %s", converter.seconds, self._line())
        logger.info("latency by parts (ms): %s", ", ".join(named))
        if converter.bad_samples:
            logger.warning("%d samples were NaN or infinite, and became silence", converter.bad_samples)

    def _line(self) -> str:
        usual, worst = (percent(self._converter.load(each)) for each in (50, 99))
        return (
            f"latency {self.latency.total:.0f} ms, load {usual} (99 % of blocks: {worst}), "
            f"drop-outs {self.dropouts}"
        )
