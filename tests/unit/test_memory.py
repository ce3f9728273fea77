"""What a pass frees stays for the next one, and can be given back."""

import resource
import subprocess
import sys

import pytest

# Six pieces of 2 MB are in use at once, as in a pass; printed are the pages that are cleared each time, and the MB that are given back. The C
# library begins with returning each piece, which it does or does not by itself, by what was allocated before.
PASSES = """
import ctypes, resource, threading, torch
ctypes.CDLL(None).mallopt(-3, 1 << 17)
from app.edge.memory import give_back, keep_for_passes
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
def touch():
    held = [torch.ones(500_000) for _ in range(6)]
def passes():
    touch(), touch()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        touch()
    print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 10)
    before = resident()
    give_back()
    print((before - resident()) / 1e6)
{keep}
thread = threading.Thread(target=passes)
thread.start()
thread.join()
"""


def cleared_and_given_back(keep):
    done = subprocess.run([sys.executable, "-c", PASSES.replace("{keep}", keep)], check=True, capture_output=True, text=True, timeout=120)
    return tuple(map(float, done.stdout.split()))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="another C library")
def test_memory_of_a_pass_is_cleared_once_and_can_be_given_back():
    pages = 12_000_000 / resource.getpagesize()
    usual, _ = cleared_and_given_back("")
    kept, given_back = cleared_and_given_back("keep_for_passes()")
    assert usual > pages / 2, "otherwise there is nothing to gain"
    assert kept < pages / 4
    assert given_back > 5
