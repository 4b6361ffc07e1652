"""Identity of the recording machine, and tolerances for values computed on other machines.

On the machine that recorded them, values are equal to the bit. Another processor, thread count or library
version changes the order of summation. There, losses may differ by 1e-3 of their size, because rounding
errors stay below that in twenty steps. 99 % of the codes must be equal, because a vector halfway between two
codebook entries may get either code. Only the first fifty samples are compared, by a correlation above 0.9:
once rounding changes one sample, all later samples differ.
"""

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
LOSS_TOLERANCE = 1e-3  # relative, and absolute for values near zero
BF16_TOLERANCE = 3e-2  # for training in bfloat16, whose mantissa has eight bits
EQUAL_CODES = 0.99  # fraction
FIRST_SAMPLES, CORRELATION = 50, 0.9


def fingerprint() -> dict[str, str]:
    """Libraries, processor and threads of this machine, which determine the rounding."""
    import torch

    facts = {name: version(name) for name in ("torch", "numpy", "numba", "scipy", "librosa")}
    facts |= {"processor": _processor(), "instructions": torch.backends.cpu.get_cpu_capability()}
    facts["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", "")
    return facts | {"threads": str(torch.get_num_threads())}


def is_recorder() -> bool:
    """Whether this machine recorded the values, with the same libraries and threads."""
    return bool(read("machine.json") == fingerprint())


def read(name: str) -> Any:
    """Content of a recorded JSON file."""
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def write(name: str, content: Any, folder: Path = FOLDER) -> None:
    """Write a JSON file with one line per entry of the second level."""
    if all(not isinstance(each, dict) for each in content.values()):
        text = _lines({key: json.dumps(each) for key, each in content.items()}, 1)
    else:
        inner = {key: _lines({k: json.dumps(v) for k, v in each.items()}, 2) for key, each in content.items()}
        text = _lines(inner, 1)
    (folder / name).write_text(text + "\n", encoding="utf-8")


def in_hex(numbers: list[float]) -> list[str]:
    """Exact hexadecimal strings of floats."""
    return [float(number).hex() for number in numbers]


def assert_curve(found: list[float], recorded: list[str], name: str) -> None:
    """Compare a curve with the recorded one: exactly on the recording machine, else within a tolerance."""
    if is_recorder():
        assert in_hex(found) == recorded, f"{name}: the numbers differ from the recorded ones"
        return
    expected = np.array([float.fromhex(number) for number in recorded])
    assert len(found) == len(expected), f"{name}: {len(found)} numbers instead of {len(expected)}"
    tolerance = BF16_TOLERANCE if "bf16" in name else LOSS_TOLERANCE
    close = np.isclose(found, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    assert close.all(), f"{name}: first differs at {int(np.argmin(close))}"


def _lines(entries: dict[str, str], depth: int) -> str:
    margin = " " * depth
    rows = ",\n".join(f"{margin}{json.dumps(key)}: {text}" for key, text in entries.items())
    return f"{{\n{rows}\n{margin[1:]}}}"


def _processor() -> str:
    """Name and family of the processor; different processors share a name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    facts = dict([part.strip() for part in line.split(":", 1)] for line in lines if ":" in line)
    return ", ".join(facts.get(name, "") for name in ("model name", "cpu family", "model", "stepping"))
