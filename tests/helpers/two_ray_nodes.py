"""Commands on a Ray cluster of two nodes on this computer, for test_ray_engine.py.

    two_ray_nodes.py FOLDER SCENARIO...

In each scenario, a command of `engine_commands`, a worker process is killed.
Prints a line of JSON for each: its name, the exit codes of its commands, and their stderr.
"""

import contextlib
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import speechvq.runtime.ray_engine  # noqa: F401  sets the environment of Ray
from helpers.engine_commands import engine_commands
from speechvq.cli import encoding
from speechvq.data import preparation
from speechvq.evaluate import aligned_codes, codebook
from speechvq.runtime.engine import Work

OBJECT_STORE = 100 << 20  # bytes of each node
WORKS = {
    "encode": (encoding, "EncodeWork"),
    "codebook": (codebook, "CountWork"),
    "purity": (aligned_codes, "PurityWork"),
    "prepare": (preparation, "PreprocessingWork"),
}


def dying(work: type[Work[Any, Any]], death: Path) -> type[Work[Any, Any]]:
    """The work, but the utterance `bob_2` kills its process, once, and `poison` always."""

    class DyingWork(work):  # type: ignore[misc, valid-type]
        batch_size = 4

        def start(self) -> Callable[[Any], Any]:
            function = super().start()

            def work_or_die(item: Any) -> Any:
                if "poison" in repr(item) or ("bob_2" in repr(item) and not death.exists()):
                    death.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(item)

            return work_or_die

    return DyingWork


@contextlib.contextmanager
def two_nodes() -> Iterator[str]:
    """Start a cluster of two nodes with a core each; yields its address."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": OBJECT_STORE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    try:
        cluster.add_node(num_cpus=1, object_store_memory=OBJECT_STORE)
        yield cluster.address
    finally:
        cluster.shutdown()


def main(folder: Path, scenarios: list[str]) -> None:
    """Run the scenarios one after another on one cluster."""
    (folder / "ray").mkdir()
    with two_nodes() as address:
        for name in scenarios:
            module, work = WORKS[name]
            setattr(module, work, dying(getattr(module, work), folder / f"ray/died-{name}"))
            calls = engine_commands(folder, "ray")[name]
            called = [
                call(command, [*words, "--engine", "ray", "--address", address]) for command, words in calls
            ]
            codes, errors = zip(*called)
            print(json.dumps({"scenario": name, "codes": codes, "errors": errors}), flush=True)


def call(command: Callable[[list[str]], int], words: list[str]) -> tuple[int, str]:
    """Exit code and stderr of a command."""
    with contextlib.redirect_stderr(io.StringIO()) as errors, contextlib.redirect_stdout(io.StringIO()):
        code = command(words)
    return code, errors.getvalue()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
