"""The engines by their names, as `--engine` gives them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from speechvq.errors import UserError

if TYPE_CHECKING:
    from speechvq.runtime.engine import Engine

LOCAL, RAY = "local", "ray"
ENGINES = (LOCAL, RAY)


@contextmanager
def open_engine(name: str, address: str | None = None, jobs: int | None = None) -> "Iterator[Engine]":
    """An engine by its name; what it started is ended with the block.

    Args:
        name: one of ENGINES.
        address: of a running Ray cluster, HOST:PORT or "auto"; None starts Ray on this computer.
        jobs: number of worker processes; None for one per core, or per GPU if the work needs one.

    Raises:
        UserError: the extra "ray" is missing, the cluster cannot be reached or has another version, or an
            address is given to the local engine.
    """
    if name == LOCAL:
        from speechvq.runtime.engine import LocalEngine

        if address is not None:
            raise UserError(f"--address {address}: of a Ray cluster; add --engine ray")
        yield LocalEngine(jobs)
        return
    from speechvq.runtime.ray_engine import ray_engine  # imports Ray, which takes seconds

    with ray_engine(address, jobs) as engine:
        yield engine
