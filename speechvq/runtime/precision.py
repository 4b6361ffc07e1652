"""Whether a device has arithmetic of bfloat16 of its own: emulated, it saves nothing and costs much."""

import torch


def has_bf16_products(device: torch.device) -> bool:
    """Whether matrix products of bfloat16 are instructions of the device.

    A processor without (x86 before AVX512-BF16 and AMX, Arm before BF16) trained decoder S in bfloat16 at a tenth of
    its float32 speed. True where nothing is known.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    tell = getattr(torch.cpu, "get_capabilities", None)
    if device.type != "cpu" or tell is None:
        return True
    known = {name: there for name, there in tell().items() if "bf16" in name}
    return not known or any(known.values())
