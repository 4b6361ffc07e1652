"""The device on which networks compute: its names, and the check that this machine has it."""

import re
import warnings
from typing import TYPE_CHECKING

from speechvq.errors import UserError, short_repr
from speechvq.runtime.logging import logger

if TYPE_CHECKING:
    import torch

AUTO = "auto"  # the first GPU of CUDA if there is one, else the processor
EXPECTED = "take 'cpu', 'cuda', 'cuda:N', 'mps' or 'auto'"
_NAME = re.compile(r"auto|cpu|mps|cuda(:[0-9]{1,3})?")


def is_device_name(name: str) -> bool:
    """Whether a name is one that `find_device` knows; answers without importing torch."""
    return _NAME.fullmatch(name) is not None


def find_device(name: str = AUTO) -> "torch.device":
    """The device of a name: "cpu", "cuda", "cuda:N", "mps" or "auto".

    "auto" takes the first GPU of CUDA, else the processor. If a GPU is there and cannot be used, one line
    says so: a driver may be too old, and MPS has no float64, in which codes and samples are drawn.

    Raises:
        UserError: another name, or a device that this machine does not have.
    """
    import torch  # takes a second; the names are checked without it

    if not is_device_name(name):
        raise UserError(f"device {short_repr(name)}: unknown; {EXPECTED}")
    if name == "cpu":
        return torch.device(name)
    if name == "mps":
        if not torch.backends.mps.is_available():
            raise UserError("device 'mps': this machine or this PyTorch has none; take 'cpu' or 'auto'")
        if reason := _missing_of_mps():
            logger.warning("warning: device 'mps' cannot be used (%s); computing on the processor", reason)
            return torch.device("cpu")
        return torch.device(name)
    gpus, reason = _count_gpus()
    if name == AUTO:
        if reason:
            logger.warning("warning: the GPU cannot be used (%s); computing on the processor", reason)
        return torch.device("cuda" if gpus else "cpu")
    device = torch.device(name)
    if (device.index or 0) >= gpus:
        there = f"the GPUs here are cuda:0 to cuda:{gpus - 1}" if gpus else "no GPU that this PyTorch can use"
        raise UserError(f"device '{name}': {there}{f' ({reason})' if reason else ''}; take 'cpu' or 'auto'")
    return device


def _missing_of_mps() -> str:
    """Why MPS cannot compute in float64; "" if it can."""
    import torch

    try:
        torch.ones(1, dtype=torch.float64, device="mps").cumsum(0).cpu()
    except (TypeError, RuntimeError) as error:  # NotImplementedError is a RuntimeError
        return str(error).splitlines()[0][:200]
    return ""


def _count_gpus() -> tuple[int, str]:
    """Number of GPUs that CUDA can use, and what the library says where it cannot use one."""
    import torch

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    reason = " ".join(str(caught[0].message).split())[:200] if caught and not gpus else ""
    return gpus, reason
