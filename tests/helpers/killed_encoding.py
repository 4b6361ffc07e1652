"""encode on a Ray cluster of two nodes, killed in the middle and called again, for test_ray_engine.py.

    killed_encoding.py SRC OUT COUNT

The first call is killed when COUNT files are there. Prints a line of JSON for each call: its exit code, and
the last line of its stderr.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import speechvq.runtime.ray_engine  # noqa: F401  sets the environment of Ray
from helpers.tiny import python
from helpers.two_ray_nodes import two_nodes


def main(src: Path, out: Path, count: int) -> None:
    """Call it, kill it, and call it twice more."""
    with two_nodes() as address:
        words = ["--src", str(src), "--out", str(out), "--engine", "ray", "--address", address]
        for kill_at in (count, None, None):
            process = python("-m", "speechvq.encode", *words, stdout=subprocess.DEVNULL)
            while kill_at is not None and process.poll() is None:
                if len(list(out.rglob("*.npy"))) >= kill_at:
                    process.kill()
                time.sleep(0.2)
            last = process.communicate()[1].strip().splitlines()[-1:]
            print(json.dumps({"code": process.returncode, "last": last}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
