"""Runs a command and measures all of its processes: wall and CPU seconds (user and system), and peak memory."""
import ctypes
import json
import os
import subprocess
import threading
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
PAGE = os.sysconf("SC_PAGE_SIZE")


def become_subreaper():
    """Processes whose parent is gone come to us, so that their CPU time is counted too."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(root):
    children = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, stack = [], [root]
    while stack:
        for child in children.get(stack.pop(), []):
            found.append(child)
            stack.append(child)
    return found


def resident(pids):
    total = 0
    for pid in pids:
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
        except OSError:
            pass
    return total


class PeakMemory(threading.Thread):
    """The largest sum of resident sizes seen, every 20 ms (shared pages count once for each process)."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak = 0
        self.done = threading.Event()

    def run(self):
        while not self.done.wait(0.02):
            self.peak = max(self.peak, resident(descendants(os.getpid())))


def run(command, environment=None, timeout=1800):
    """The result of a run: `ok`, `wallSeconds`, `cpuSeconds`, `peakBytes`, the JSON of its last output line, its error text."""
    become_subreaper()
    watch = PeakMemory()
    before = os.times()
    start = time.monotonic()
    watch.start()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
                               env={**os.environ, **(environment or {})})
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        out, err = process.communicate()
        err += f"\nstopped after {timeout} s"
    wall = time.monotonic() - start
    while True:  # what was left to us
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    watch.done.set()
    watch.join()
    after = os.times()
    try:
        told = json.loads(out.strip().splitlines()[-1])
    except (IndexError, ValueError):
        told = {}
    return {"ok": process.returncode == 0, "wallSeconds": wall,
            "cpuSeconds": after.children_user + after.children_system - before.children_user - before.children_system,
            "peakBytes": max(watch.peak, 0), "told": told, "error": err[-2000:] if process.returncode else ""}
