"""How many threads the edge model computes with, and what they do while they wait.

Measured on 2 cores: a process whose OpenMP threads spin at each barrier slows every neighbour (another gateway, the
event loop of its own process) by an order of magnitude, because a spinning thread looks busy to the scheduler. So
threads sleep at barriers by default (`passive`), and their number is that of the cores this process may really use: a
container's CPU quota counts, not the host's cores.
"""

import os
from pathlib import Path

_CGROUP_V2 = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(cgroup: Path = _CGROUP_V2) -> int:
    """Cores by affinity and by the container's quota (cgroup v2), at least 1."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        cores = os.cpu_count() or 1
    try:
        quota, period = cgroup.read_text().split()
        if quota != "max":
            cores = min(cores, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass
    return max(1, cores)


def set_wait_policy(policy: str) -> None:
    """Must run before torch is imported: OpenMP reads its environment once. What the user has set already stays.

    Args:
        policy: `passive` (sleep at barriers) or `active` (spin: for a machine of one's own).
    """
    os.environ.setdefault("OMP_WAIT_POLICY", policy.upper())


def set_threads(threads: int) -> int:
    """Tell torch; 0 means `usable_cores()`. Returns the number set."""
    import torch  # the wait policy must be set before this import happens anywhere

    count = threads or usable_cores()
    torch.set_num_threads(count)
    return count
