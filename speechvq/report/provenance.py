"""Where and when a page was made."""

import os
import platform
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import speechvq


def provenance() -> str:
    """Version, date, processor, number of cores, Python and PyTorch, as one line."""
    now = datetime.now(timezone.utc)
    cores = os.cpu_count() or 1
    try:
        torch = version("torch")
    except PackageNotFoundError:  # for example a checkout that some other program put on the path
        torch = "unknown"
    parts = [
        f"speechvq {speechvq.__version__}",
        f"{now:%Y-%m-%d %H:%M} UTC",
        f"{processor()}, {cores} core{'s' if cores > 1 else ''}",
        f"Python {platform.python_version()}, PyTorch {torch}",
    ]
    return "; ".join(parts)


def processor() -> str:
    """Name of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), "") or platform.processor() or platform.machine()
