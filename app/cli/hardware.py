"""The hardware of a measurement, in a few words."""

import platform


def describe_hardware(device: str) -> str:
    """Describe a device, as in `cuda, NVIDIA H100` or `cpu, AMD EPYC 7B13, 4 threads`.

    Args:
        device: name of the device in torch, as `cpu` or `cuda:0`.
    """
    import torch  # the import takes seconds, and reads the wait policy, which must be set before

    if device.startswith("cuda"):
        return f"cuda, {torch.cuda.get_device_name()}"
    processor = torch.cpu.get_capabilities().get("cpu_name") or platform.processor() or platform.machine()
    return f"{device}, {processor}, {torch.get_num_threads()} thread{'s' if torch.get_num_threads() > 1 else ''}"
