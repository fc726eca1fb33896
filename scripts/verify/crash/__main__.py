#!/usr/bin/env python3
"""Crash test of exactly-once: a job is killed, frozen and starved, restarted until its input is done, and its output
compared with an undisturbed run, with `replay` and with windows computed here.

    python scripts/verify/crash PATH-TO-stream-job [--seed N] [--kills N] [--rounds NAME,…] [--keep DIR]

Needs confluent-kafka (scripts/install-deps.sh --tests). Prints its seed; directories of rounds that fail are kept.
"""
import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True

from jobs import Shape
from rounds import ROUNDS
from trouble import TROUBLES
from workload import Workload
from world import Expected, World

ROOT = Path(__file__).resolve().parent.parent.parent.parent
SHAPES = {"local": Shape("local", True, True), "alone": Shape("alone", False, False, compression="lz4")}


def build_disk_faults(directory):
    target = directory / "disk_faults.so"
    compiler = next(c for c in ("clang", "gcc", "cc") if shutil.which(c))
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", target,
                    ROOT / "Tests/Tools/disk-faults/disk_faults.c", "-ldl"], check=True)
    return target


def run_round(name, program, directory, workload, expected, seed, kills, disk_faults):
    """Runs a round; prints what became of it; returns (kills, problems, delays)."""
    round_ = ROUNDS[name]
    started = time.monotonic()
    world = World(name, program, directory / name, workload, SHAPES[round_.shape], seed, round_.config,
                  round_.session_ms)
    world.disk_faults = disk_faults
    problems = []
    try:
        round_.disturb(world, kills, **round_.options)
        problems = world.finish("a" if round_.disturb.__name__ != "at_random_dynamic" else None, expected)
    except Exception as error:  # Whatever it is, the other rounds go on.
        problems.append(f"{type(error).__name__}: {error}")
    finally:
        world.close()
    problems += world.unexpected
    state = "ok" if not problems else "FAILED"
    broker = f", broker {world.cluster.kills}" if world.cluster.kills else ""
    steps = f", {len(world.reached)} at their step" if world.reached else ""
    print(f"{name}: {state}: {world.kills} kills{steps}{broker}, {world.starts} starts, "
          f"{time.monotonic() - started:.0f} s", flush=True)
    for problem in problems[:12]:
        print(f"  {problem}")
    if problems:
        print(f"  kept in {world.directory}; again: --seed {seed} --rounds {name}", flush=True)
    else:
        shutil.rmtree(world.directory)
    return world.kills, problems, world.delays


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=lambda p: Path(p).resolve())
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--rounds", help="some of: " + ", ".join([*ROUNDS, *TROUBLES]))
    parser.add_argument("--keep", type=Path, help="work here and keep it")
    arguments = parser.parse_args()
    names = arguments.rounds.split(",") if arguments.rounds else [*ROUNDS, *TROUBLES]
    print(f"seed {arguments.seed}", flush=True)
    directory = arguments.keep or Path(tempfile.mkdtemp(prefix="stream-job-crash-"))
    directory.mkdir(parents=True, exist_ok=True)
    workload = Workload(arguments.seed)
    disk_faults = build_disk_faults(directory)
    weights = sum(ROUNDS[name].weight for name in names if name in ROUNDS)
    expected, kills, failed, delays = {}, 0, [], {}
    for name in names:
        if name in TROUBLES:
            started = time.monotonic()
            try:
                problems = TROUBLES[name](arguments.program, directory / name, arguments.seed)
            except Exception as error:  # Whatever it is, the other rounds go on.
                problems = [f"{type(error).__name__}: {error}"]
            print(f"{name}: {'ok' if not problems else 'FAILED'}: {time.monotonic() - started:.0f} s", flush=True)
            for problem in problems:
                print(f"  {problem}")
            failed += [name] if problems else []
            continue
        shape = SHAPES[ROUNDS[name].shape]
        if shape.name not in expected:
            expected[shape.name] = Expected(arguments.program, directory / f"undisturbed-{shape.name}", workload, shape,
                                            arguments.seed)
        share = max(2, -(-arguments.kills * ROUNDS[name].weight // weights))
        done, problems, waits = run_round(name, arguments.program, directory, workload, expected[shape.name],
                                          arguments.seed, share, disk_faults)
        kills += done
        failed += [name] if problems else []
        for what, seconds in waits:
            delays.setdefault(what, []).append(seconds)
    print(f"{kills} kills, {len(names) - len(failed)} of {len(names)} rounds ok")
    for what, seconds in delays.items():
        seconds.sort()
        print(f"first epoch of a {what}: median {seconds[len(seconds) // 2]:.1f} s, at most {seconds[-1]:.1f} s "
              f"({len(seconds)} times)")
    if failed:
        print(f"FAILED: {', '.join(failed)}; seed {arguments.seed}; files in {directory}")
        return 1
    if not arguments.keep:
        shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
