"""Timed windows: wall time, processor time of this process, and what others used of the machine meanwhile."""

import os
import resource
import sys
import time


def busy_seconds():
    """Processor seconds that the whole machine has worked; None where the system does not tell."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            values = [int(value) for value in file.readline().split()[1:9]]
    except OSError:
        return None
    return (sum(values) - values[3] - values[4]) / os.sysconf("SC_CLK_TCK")


def own_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


class Windows:
    """Cuts time into windows, one an iteration; each begins where the last one ended."""

    def __init__(self):
        self.rows = []
        self.begin()

    def begin(self):
        self.mark = (time.perf_counter(), own_seconds(), busy_seconds())

    def end(self, **facts):
        wall, own, busy = time.perf_counter(), own_seconds(), busy_seconds()
        took, used = wall - self.mark[0], own - self.mark[1]
        others = None if busy is None else max(0.0, (busy - self.mark[2] - used) / took)
        self.rows.append({"wallS": took, "cpuS": used, "otherCores": others, **facts})
        self.mark = (wall, own, busy)
