"""Support of bfloat16 in hardware: an emulation saves nothing and is slow."""

import torch


def supports_bf16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16 matrix products; True if unknown.

    On a processor without them (x86 before AVX512-BF16 and AMX, Arm before BF16) decoder S trained at a tenth
    of its float32 speed.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if device.type != "cpu" or capabilities is None:
        return True
    flags = {name: present for name, present in capabilities().items() if "bf16" in name}
    return not flags or any(flags.values())
