"""The machine that recorded the values, and how values of another one are compared.

On the machine that recorded them, values are bit-identical. Another processor, thread count or library
adds in another order. There, losses may differ by 1e-3 of their size: rounding does not grow further in
twenty steps. 99 % of the codes are equal: a vector half way between two entries falls to either. Of drawn
samples only the first fifty are compared, by a correlation over 0.9: once rounding moves a draw to the next
level, every sample after it is another.
"""

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
LOSS_TOLERANCE = 1e-3  # of the value; and of one for what is near zero
BF16_TOLERANCE = 3e-2  # of what was learnt in bfloat16, whose products have eight bits
EQUAL_CODES = 0.99  # share
FIRST_SAMPLES, CORRELATION = 50, 0.9


def fingerprint() -> dict[str, str]:
    """What decides the last bits here."""
    import torch

    facts = {name: version(name) for name in ("torch", "numpy", "numba", "scipy", "librosa")}
    facts |= {"processor": _processor(), "instructions": torch.backends.cpu.get_cpu_capability()}
    facts["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", "")
    return facts | {"threads": str(torch.get_num_threads())}


def is_recorder() -> bool:
    """Whether this is the machine that recorded, with the same libraries and threads."""
    return bool(read("machine.json") == fingerprint())


def read(name: str) -> Any:
    """A recorded JSON file."""
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def write(name: str, content: Any, folder: Path = FOLDER) -> None:
    """Write a JSON file with one line for each entry of the second level."""
    if all(not isinstance(each, dict) for each in content.values()):
        text = _lines({key: json.dumps(each) for key, each in content.items()}, 1)
    else:
        inner = {key: _lines({k: json.dumps(v) for k, v in each.items()}, 2) for key, each in content.items()}
        text = _lines(inner, 1)
    (folder / name).write_text(text + "\n", encoding="utf-8")


def in_hex(numbers: list[float]) -> list[str]:
    """Numbers with all their digits."""
    return [float(number).hex() for number in numbers]


def assert_curve(found: list[float], recorded: list[str], name: str) -> None:
    """Compare a row of losses with the recorded one."""
    if is_recorder():
        assert in_hex(found) == recorded, f"{name}: other numbers than the recorded ones"
        return
    wanted = np.array([float.fromhex(number) for number in recorded])
    assert len(found) == len(wanted), f"{name}: {len(found)} numbers in place of {len(wanted)}"
    tolerance = BF16_TOLERANCE if "bf16" in name else LOSS_TOLERANCE
    near = np.isclose(found, wanted, rtol=tolerance, atol=tolerance, equal_nan=True)
    assert near.all(), f"{name}: first differs at {int(np.argmin(near))}"


def _lines(entries: dict[str, str], depth: int) -> str:
    margin = " " * depth
    rows = ",\n".join(f"{margin}{json.dumps(key)}: {text}" for key, text in entries.items())
    return f"{{\n{rows}\n{margin[1:]}}}"


def _processor() -> str:
    """The processor by its name and family: its name alone is the same for many."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    facts = dict([part.strip() for part in line.split(":", 1)] for line in lines if ":" in line)
    return ", ".join(facts.get(name, "") for name in ("model name", "cpu family", "model", "stepping"))
