"""The machine of a measurement as far as servers without a model depend on it. Knows no torch."""

import os
import platform
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """The processor, the cores that this process may use, the load of the last minute, and the version of Python, as a JSON object."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return {"processor": _processor(), "cores": cores, "load": load, "system": platform.system(), "python": platform.python_version()}


def described(found: dict[str, Any]) -> str:
    """A machine in one line of text."""
    load = "" if found["load"] is None else f", load {found['load']:g} at the start"
    cores = f"{found['cores']} core{'' if found['cores'] == 1 else 's'}"
    return f"{found['processor']}, {cores}{load}, {found['system']}, Python {found['python']}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.machine()
