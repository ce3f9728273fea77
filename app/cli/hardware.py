"""On what a measurement was made, in a few words."""

import platform


def describe_hardware(device: str) -> str:
    """As in `cuda, NVIDIA H100` or `cpu, AMD EPYC 7B13, 4 threads`; `device` is torch's name of it."""
    import torch  # takes seconds, and reads the wait policy when it is imported

    if device.startswith("cuda"):
        return f"cuda, {torch.cuda.get_device_name()}"
    processor = torch.cpu.get_capabilities().get("cpu_name") or platform.processor() or platform.machine()
    return f"{device}, {processor}, {torch.get_num_threads()} thread{'s' if torch.get_num_threads() > 1 else ''}"
