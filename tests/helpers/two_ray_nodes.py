"""Commands on a Ray cluster of two nodes on this computer, for test_ray_engine.py.

    two_ray_nodes.py FOLDER SCENARIO...

Prints a line of JSON for each scenario: its name, the exit codes of its commands, and their stderr.
"""

import contextlib
import io
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import speechvq.runtime.ray_engine  # noqa: F401  sets the environment of Ray
from speechvq import encode
from speechvq.cli import encoding
from speechvq.cli.encoding import Encoded, EncodeWork, Recording
from speechvq.evaluate import codebook, purity
from speechvq.prepare import main as prepare

OBJECT_STORE = 100 << 20  # bytes of each node


class DyingWork(EncodeWork):
    """Encodes, but `bob_2` kills its process once, and `poison` always."""

    batch_size = 4

    def start(self) -> Callable[[Recording], Encoded]:
        function = super().start()

        def encode_or_die(recording: Recording) -> Encoded:
            name, died = recording.source.name, self._journal.folder.parent / "died"
            if name == "poison" or (name == "bob_2" and not died.exists()):
                died.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return function(recording)

        return encode_or_die


def main(folder: Path, scenarios: list[str]) -> None:
    """Run the scenarios one after another on one cluster."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": OBJECT_STORE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    cluster.add_node(num_cpus=1, object_store_memory=OBJECT_STORE)
    engine = ["--engine", "ray", "--address", cluster.address]
    encoding.EncodeWork = DyingWork  # type: ignore[misc]
    try:
        for name in scenarios:
            called = [call(command, [*words, *engine]) for command, words in commands(folder)[name]]
            codes, errors = zip(*called)
            print(json.dumps({"scenario": name, "codes": codes, "errors": errors}), flush=True)
    finally:
        cluster.shutdown()


def commands(folder: Path) -> dict[str, list[tuple[Callable[[list[str]], int], list[str]]]]:
    """The commands of each scenario; those of the local engine have the same words."""
    encode_words = [
        "--model",
        str(folder / "model"),
        "--src",
        str(folder / "in"),
        "--out",
        str(folder / "ray/codes"),
    ]
    codes, alignments = ["--codes", str(folder / "local/codes")], ["--alignments", str(folder / "lab")]
    return {
        "encode": [(encode.main, [*encode_words, "--limit", "5"]), (encode.main, encode_words)],
        "codebook": [(codebook.main, [*codes, "--json", str(folder / "ray/codebook.json")])],
        "purity": [(purity.main, [*codes, *alignments, "--json", str(folder / "ray/purity.json")])],
        "prepare": [
            (prepare, ["folder", "--root", str(folder / "speakers"), "--out", str(folder / "ray/data")])
        ],
    }


def call(command: Callable[[list[str]], int], words: list[str]) -> tuple[int, str]:
    """Exit code and stderr of a command."""
    with contextlib.redirect_stderr(io.StringIO()) as errors, contextlib.redirect_stdout(io.StringIO()):
        code = command(words)
    return code, errors.getvalue()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
