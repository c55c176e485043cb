"""Runs commands one after the other and tells what each cost, children included.

Reads one JSON object a line: {"argv": [...], "cwd": "...", "env": {...}, "log": "...", "limit_s": 60}.
Answers each with one line: {"wall": s, "cpu": s, "peak_kib": n, "status": n, "timed_out": bool}, or {"error": "..."}.
When its input ends, so does the command that runs, with all that it started.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time

running = None
requests = queue.SimpleQueue()


def kill(process_id):
    """Ends a whole process group; its leader is the command."""
    try:
        os.killpg(process_id, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def read_requests():
    """Reads in a thread of its own, so that the end of the input is seen while a command runs."""
    for line in sys.stdin:
        requests.put(json.loads(line))
    if running is not None:
        kill(running)
    os._exit(0)


def measure(request):
    global running
    with open(request["log"], "wb") as log:
        start = time.perf_counter()
        child = subprocess.Popen(
            request["argv"],
            cwd=request["cwd"],
            env=request["env"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    running = child.pid
    timed_out = threading.Event()

    def stop():
        timed_out.set()
        kill(child.pid)

    limit = threading.Timer(request["limit_s"], stop)
    limit.start()
    # wait4 counts the command and every descendant that was waited for; the peak is that of the largest process.
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    running = None
    limit.cancel()
    kill(child.pid)
    return {
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak_kib": usage.ru_maxrss // (1024 if sys.platform == "darwin" else 1),
        "status": os.waitstatus_to_exitcode(status),
        "timed_out": timed_out.is_set(),
    }


threading.Thread(target=read_requests, daemon=True).start()
while True:
    item = requests.get()
    try:
        answer = measure(item)
    except OSError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
