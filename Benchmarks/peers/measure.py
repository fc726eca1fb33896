"""Runs a command and measures all of its processes: wall and CPU seconds (user and system), and peak memory."""
import ctypes
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
PAGE = os.sysconf("SC_PAGE_SIZE")
# How often memory is looked at, and how long processes that outlive their parent may go on.
LOOK_SECONDS, LEFT_SECONDS = 0.05, 20


def become_subreaper():
    """Processes whose parent is gone come to us, so that their CPU time is counted too."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children(pid):
    """The processes that one has started, by its threads' own lists: cheaper than looking through all processes."""
    found = []
    try:
        for thread in os.scandir(f"/proc/{pid}/task"):
            found += map(int, Path(thread.path, "children").read_text().split())
    except OSError:
        pass  # it has ended
    return found


def descendants(pid):
    found = children(pid)
    for child in found:
        found += children(child)
    return found


def resident(pids):
    total = 0
    for pid in pids:
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
        except OSError:
            pass
    return total


def end(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def gather_rest():
    """Waits for what was left to us, for a while; then ends it. Only processes of this run are ours by then."""
    until = time.monotonic() + LEFT_SECONDS
    while True:
        try:
            gone, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if gone == 0:
            if time.monotonic() > until:
                end(descendants(os.getpid()))
            time.sleep(0.01)


def run(command, environment=None, timeout=1800, cores=None):
    """The result of a run: `ok`, `wallSeconds`, `cpuSeconds`, `peakBytes`, the JSON of its last output line, its error text.

    `cores`: the only ones it may use. `peakBytes` is the largest sum of resident sizes of its processes, looked at every 50 ms
    (shared pages count once for each process), and no less than what the kernel tells as the first process' own peak.
    """
    become_subreaper()
    peak = 0
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        before = os.times()
        start = time.monotonic()
        process = subprocess.Popen([str(part) for part in command], stdout=out, stderr=err, stdin=subprocess.DEVNULL,
                                   start_new_session=True, env={**os.environ, **(environment or {})},
                                   preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None)
        ended = os.pidfd_open(process.pid)
        stopped = False
        try:
            while not select.select([ended], [], [], LOOK_SECONDS)[0]:
                peak = max(peak, resident(descendants(os.getpid())))
                if time.monotonic() - start > timeout:
                    stopped = True
                    end([process.pid, *descendants(process.pid)])
        except BaseException:
            end([process.pid, *descendants(process.pid)])
            raise
        finally:
            os.close(ended)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - start
        gather_rest()
        after = os.times()
        out.seek(0)
        err.seek(0)
        output, error = out.read().decode(errors="replace"), err.read().decode(errors="replace")
    try:
        told = json.loads(output.strip().splitlines()[-1])
    except (IndexError, ValueError):
        told = {}
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    if stopped:
        error = f"did not finish in {timeout} s ({cpu:.0f} s of CPU time)"
    elif process.returncode:
        error = error[-2000:] or f"ended with status {process.returncode}"
    return {"ok": process.returncode == 0, "finished": not stopped, "wallSeconds": wall, "cpuSeconds": cpu,
            "peakBytes": max(peak, usage.ru_maxrss * 1024), "told": told, "error": error if process.returncode else ""}
