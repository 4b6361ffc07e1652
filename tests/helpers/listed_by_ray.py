"""Memory of the process that calls Ray, for test_ray_engine.py: `listed_by_ray.py FOLDER COUNT`.

Its workers do nothing with COUNT recordings of a manifest. Prints the number of results, and the largest
memory in MiB.
"""

import resource
import sys
from collections.abc import Callable
from pathlib import Path

from speechvq.cli.encoding import Recording, RecordingListing
from speechvq.cli.sources import SourceListing
from speechvq.data.manifest import COLUMNS
from speechvq.io.journal import Journal
from speechvq.runtime.engine import Work
from speechvq.runtime.engine_choice import open_engine


class Name(Work[Recording, str]):
    """The name of a recording."""

    batch_size = 256

    def start(self) -> Callable[[Recording], str]:
        return lambda recording: recording.source.name

    def lost(self, item: Recording, reason: str) -> str:
        raise RuntimeError(reason)


def main(folder: Path, count: int) -> None:
    """List, and count the results."""
    with open(folder / "manifest.tsv", "w") as file:
        print(*COLUMNS, sep="\t", file=file)
        for number in range(count):
            print(f"u{number:08d}", "s", "train", 1.0, f"a/u{number:08d}.flac", sep="\t", file=file)
    listing = RecordingListing(SourceListing(folder), 0, 1, Journal(folder / "out", {}), 0, ".npy")
    with open_engine("ray", None, 1) as engine:
        results = sum(1 for _ in engine.map(Name(), listing))
    print(results, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
