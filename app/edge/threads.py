"""How many threads the edge model computes with, and what they do while they wait.

OpenMP threads spin at every barrier by default, and a spinning thread looks busy to the scheduler: two processes that
each use all cores slow each other down by a factor of five (docs/experiments.md, "Waiting threads"). Threads that sleep
at once make neighbours harmless but cost a lone process 45 %. A short spin keeps nearly all of both, so it is the default.

Their number is that of the cores this process may really use: a container's CPU quota counts, not the host's cores.
"""

import os
from pathlib import Path

# Turns of the spinning loop of GNU OpenMP, which torch uses on Linux; its own default is 300,000.
_BRIEF_SPINS = "1000"
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
    """Set how waiting threads behave. Must run before torch is imported: OpenMP reads its environment once. What the user has set stays.

    Args:
        policy: `brief` (spin for microseconds, then sleep), `passive` (sleep at once: many processes on one machine) or
            `active` (spin on: a machine that does nothing else).
    """
    if os.environ.get("OMP_WAIT_POLICY") or os.environ.get("GOMP_SPINCOUNT"):
        return
    if policy == "brief":
        os.environ["GOMP_SPINCOUNT"] = _BRIEF_SPINS
    else:
        os.environ["OMP_WAIT_POLICY"] = policy.upper()


def set_threads(threads: int) -> int:
    """Set the number of threads that torch computes with; 0 means `usable_cores()`. Returns the number that was set."""
    import torch  # the wait policy must be set before this import happens anywhere

    count = threads or usable_cores()
    torch.set_num_threads(count)
    return count
