"""`python -m tests.golden.record`: record all golden values again.

Record only for a deliberate change of numbers or names, and state in the commit which and why; never record
to make a test pass. Record with OMP_NUM_THREADS=1, as in the tests. After a move or rename, edit
`subjects.py` and record no new numbers. `python -m tests.golden.record FOLDER` writes to another folder for a
comparison.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for tests/helpers

import numpy as np

from golden import machine, subjects


def main(folder: Path = machine.FOLDER) -> None:
    """Write all golden files to a folder."""
    machine.write("machine.json", machine.fingerprint(), folder)
    codes, samples = subjects.bundled()
    machine.write("bundled_codes.json", codes, folder)
    np.savez(folder / "bundled_samples.npz", **samples)  # type: ignore[arg-type]
    curves = {}
    for name, curve in subjects.CURVES.items():
        with tempfile.TemporaryDirectory() as place:
            curves[name] = {number: machine.in_hex(row) for number, row in curve(Path(place)).items()}
    machine.write("loss_curves.json", curves, folder)
    with tempfile.TemporaryDirectory() as place:
        keys = subjects.json_keys(Path(place))
    for name, lines in (
        ("flags", subjects.flags()),
        ("config_keys", subjects.config_keys()),
        ("json_keys", keys),
    ):
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
