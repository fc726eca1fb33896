#!/usr/bin/env python3
"""Compares the speed of two commits: builds both in release, runs them in turn over the same inputs, prints ratios.

    scripts/compare-commits.py BASE [COMMIT] [--threshold 1.05] [--rounds 7] [--cases text,json,…] [--work DIRECTORY]

COMMIT is HEAD by default; `.` is the tree as it lies here. Each is checked out as a worktree of its own and built there, both
under a temporary directory that is removed afterwards; with --work they stay, so that the next comparison builds less.

Cases (inputs: Benchmarks/peers/inputs.py, two million samples, six aggregates by (name, instance), Parquet out, one worker):
  text, json       500 series, 1-minute windows, text exposition and sample-json
  sliding          500 series, 5-minute windows every 10 s, 3 million rows
  series           200,000 series, sample-json

Of each case: CPU nanoseconds a sample (user + system of the whole process), instructions a sample in user space where `perf`
can count them, peak memory. A ratio is the median over rounds of (commit / base) for CPU time and memory, and of the medians
for instructions. Exit status 1 if one of CPU time (instructions, where they are counted: they do not depend on what else the
machine does) is above the threshold; 2 if one of them does not build, fails, or has not taken all samples into windows and given
the rows that they must give; 130 if interrupted. Building takes some minutes a commit, the rounds two more.
"""
import argparse
import json
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Benchmarks/peers"))
import inputs  # noqa: E402
import measure  # noqa: E402
import stream_job  # noqa: E402

CASES = {
    "text": ("tumbling", "few-text", "prometheus"), "json": ("tumbling", "few-json", "sample-json"),
    "sliding": ("sliding", "few-json", "sample-json"), "series": ("series", "many-json", "sample-json"),
}
SAMPLES = inputs.samples("few")


def stop(why):
    print(f"compare-commits: {why}", file=sys.stderr)
    sys.exit(2)


def built(commit, work):
    """The program of a commit."""
    if commit == ".":
        tree = ROOT
    else:
        name = subprocess.run(["git", "rev-parse", "--verify", commit + "^{commit}"], cwd=ROOT, capture_output=True, text=True)
        if name.returncode:
            stop(f"there is no commit {commit}")
        tree = work / name.stdout.strip()
        if not tree.exists():
            subprocess.run(["git", "worktree", "prune"], cwd=ROOT, check=True)
            subprocess.run(["git", "worktree", "add", "--force", "--detach", tree, name.stdout.strip()], cwd=ROOT, check=True,
                           capture_output=True)
    print(f"building {commit} …", file=sys.stderr)
    done = subprocess.run(["swift", "build", "-c", "release", "--product", "stream-job"], cwd=tree, capture_output=True,
                          text=True)
    if done.returncode:
        stop(f"{commit} does not build:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    # A copy: building the tree again does not change what is measured.
    program = work / f"stream-job-{tree.name}"
    shutil.copy(tree / ".build/release/stream-job", program)
    return program


def can_count():
    return shutil.which("perf") and subprocess.run(
        ["perf", "stat", "-e", "instructions:u", "true"], capture_output=True).returncode == 0


def one_run(program, case, work, counts):
    query, source, form = CASES[case]
    output = work / "out" / case
    shutil.rmtree(output, ignore_errors=True)
    output.parent.mkdir(exist_ok=True)
    command = stream_job.command(str(program), query, work / "inputs" / source, output, 1,
                                 ["--set", f"sources.metrics.format={form}"])
    if counts:
        command = ["perf", "stat", "-x", ";", "-e", "instructions:u", "-o", str(work / "perf"), *command]
    shape = source.rsplit("-", 1)[0]
    result = stream_job.checked(measure.run(command), inputs.samples(shape), inputs.rows(shape, query))
    if not result["ok"]:
        stop(f"{program.name}, {case}: {result['error'].strip()}")
    found = re.search(r"^(\d+);", (work / "perf").read_text(), re.M) if counts else None
    return {"ns": result["cpuSeconds"] / SAMPLES * 1e9, "instructions": int(found[1]) / SAMPLES if found else None,
            "bytes": result["peakBytes"]}


def compared(told, work):
    programs = {"base": built(told.base, work), "commit": built(told.commit, work)}
    inputs.make(work / "inputs", sorted({CASES[case][1] for case in told.cases.split(",")}))
    counts = can_count()
    status, report = 0, []
    print("| case | base ns/sample | ns ratio | base instructions/sample | instructions ratio | memory ratio | |")
    print("|---|--:|--:|--:|--:|--:|---|")
    for case in told.cases.split(","):
        runs = {side: [] for side in programs}
        for number in range(told.rounds):
            # Who goes first changes, too.
            for side in sorted(programs, reverse=number % 2 == 1):
                runs[side].append(one_run(programs[side], case, work, counts))
        base, new = runs["base"], runs["commit"]
        ns = statistics.median(b["ns"] / a["ns"] for a, b in zip(base, new))
        memory = statistics.median(b["bytes"] / a["bytes"] for a, b in zip(base, new))
        instructions = None
        if counts and base[0]["instructions"]:
            instructions = (statistics.median(one["instructions"] for one in new)
                            / statistics.median(one["instructions"] for one in base))
        verdict = "ok"
        if (instructions or ns) > told.threshold:
            verdict, status = "**slower**", max(status, 1)
        counted = f"{statistics.median(one['instructions'] for one in base):.0f} | {instructions:.3f}" if instructions else "- | -"
        print(f"| {case} | {statistics.median(one['ns'] for one in base):.0f} | {ns:.3f} | {counted} | {memory:.2f} | {verdict} |",
              flush=True)
        report.append({"case": case, "nsRatio": ns, "instructionsRatio": instructions, "memoryRatio": memory, "runs": runs})
    if told.json:
        told.json.write_text(json.dumps(report, indent=1))
    return status


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base")
    parser.add_argument("commit", nargs="?", default="HEAD")
    parser.add_argument("--threshold", type=float, default=1.05)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--work", type=Path, help="kept, unlike the temporary directory")
    parser.add_argument("--json", type=Path)
    told = parser.parse_args()
    if told.rounds < 1:
        parser.error("--rounds takes 1 or more")
    # Ended from outside, it removes what it has made, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for case in told.cases.split(","):
        if case not in CASES:
            parser.error(f"unknown case `{case}`; there are: {', '.join(CASES)}")
    if told.work:
        told.work.mkdir(parents=True, exist_ok=True)
        return compared(told, told.work.resolve())
    with tempfile.TemporaryDirectory() as directory:
        try:
            return compared(told, Path(directory))
        finally:
            shutil.rmtree(directory, ignore_errors=True)
            subprocess.run(["git", "worktree", "prune"], cwd=ROOT)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("compare-commits: stopped", file=sys.stderr)
        sys.exit(130)
