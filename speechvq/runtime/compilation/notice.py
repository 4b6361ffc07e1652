"""A message for the user while numba compiles."""

from collections.abc import Iterator
from contextlib import contextmanager

from speechvq.runtime.logging import logger


@contextmanager
def compile_notice(what: str) -> Iterator[None]:
    """Log one line when numba starts to compile inside this context.

    Compiled code is cached on disk, so this happens once on a machine. Loading from the cache logs nothing,
    however long it takes.

    Args:
        what: what is compiled, for example "the sampler".
    """
    from numba.core import event

    class Notice(event.Listener):
        logged = False

        def on_start(self, event: object) -> None:
            """Log the first compilation."""
            if not self.logged:
                logger.warning("compiling %s, once for this machine (some seconds) ...", what)
            self.logged = True

        def on_end(self, event: object) -> None:
            """Nothing."""

    with event.install_listener("numba:compile", Notice()):
        yield
