#!/usr/bin/env python3
"""The same input through `stream-job replay` and through other engines, in one run on one machine; rows checked row by row.

    peers.py [--systems duckdb,polars,…] [--queries tumbling,sliding,series] [--rounds N] [--work DIRECTORY]
             [--program PATH] [--json FILE] [--markdown FILE]

Queries (input: inputs.py; sample-json, two files, two workers; count, sum, avg, min, max, stddev by (name, instance)):
  tumbling   1 m windows over 2,000,000 samples of 500 series            500,000 rows
  sliding    5 m windows every 10 s over the same                      3,014,125 rows
  series     1 m windows over 2,000,000 samples of 200,000 series        600,000 rows

Systems run in turn, N rounds (3); of each the round of median wall time counts. `wall` and `CPU` are of the whole process with
all its children, from start to exit; `steady` is what the system itself took from its first read to its last row committed,
without starting (imports, JVM, session). Other engines come from PyPI into virtual environments of their own under DIRECTORY
(.build/peers); one that cannot be installed or fails is listed with its reason. Those on a JVM need Java 17
(`apt-get install openjdk-17-jre-headless`).
"""
import argparse
import json
import platform
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import inputs
import measure
import stream_job
from systems import SYSTEMS

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
INPUTS = {"tumbling": "few", "sliding": "few", "series": "many"}
SAMPLES = 2_000_000
WORKERS = 2
# The newest event time of each input: engines that close windows by their watermark only leave later ones open.
LAST_EVENT_MS = {"few": 1_767_225_600_000 + (3999 * 15 + 14) * 1000, "many": 1_767_225_600_000 + (9 * 15 + 14) * 1000}


def environment(work, name, packages):
    """The Python of a system's own environment, made where it is not there; or why it cannot be."""
    directory = work / "environments" / name
    python = directory / "bin/python"
    if (directory / "ready").exists():
        return python, None
    shutil.rmtree(directory, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", directory], capture_output=True, text=True)
    if made.returncode == 0:
        made = subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages],
                              capture_output=True, text=True)
    if made.returncode != 0:
        return None, "cannot be installed: " + (made.stderr.strip().splitlines() or ["?"])[-1]
    (directory / "ready").touch()
    return python, None


def one_run(system, query, told, output):
    shutil.rmtree(output, ignore_errors=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    source = told.work / "inputs" / f"{INPUTS[query]}-json"
    if system is None:
        result = measure.run(stream_job.command(told.program, query, source, output, WORKERS))
        result["told"] = stream_job.told(result["told"])
        return result
    python, reason = environment(told.work, system.environment_name or system.name, system.packages)
    if reason:
        return {"ok": False, "error": reason, "told": {}}
    return measure.run([str(python), str(HERE / system.script), query, str(source), str(output), str(WORKERS), *system.arguments],
                       environment=system.environment(python), timeout=told.timeout)


def compare(told, query, system, ours, theirs):
    python, reason = environment(told.work, "compare", ["pyarrow", "numpy"])
    if reason:
        return {"equal": False, "problems": [reason]}
    options = ["--open-after", str(LAST_EVENT_MS[INPUTS[query]])] if system.leaves_open else []
    done = subprocess.run([python, HERE / "compare.py", query, ours / "rows", theirs, *options], capture_output=True, text=True)
    if done.returncode:
        return {"equal": False, "problems": [done.stderr.strip()[-500:]]}
    return json.loads(done.stdout)


def measured(query, told):
    """One query through all systems: a list of results, ours first."""
    rounds = {}
    systems = [None, *(SYSTEMS[name] for name in told.systems)]
    outputs = {system: told.work / "runs" / query / (system.name if system else "stream-job") for system in systems}
    for number in range(told.rounds):
        for system in systems:
            if system and query not in system.queries:
                continue
            known = rounds.setdefault(system, [])
            if (known and not known[-1]["ok"]) or (system and number >= system.rounds_max):
                continue
            result = one_run(system, query, told, outputs[system])
            known.append(result)
            print(f"{query} {system.name if system else 'stream-job'}: " + (
                f"{result['wallSeconds']:.2f} s, CPU {result['cpuSeconds']:.2f} s" if result["ok"] else result["error"]),
                file=sys.stderr)
    results = []
    for system, runs in rounds.items():
        good = sorted((run for run in runs if run["ok"]), key=lambda run: run["wallSeconds"])
        entry = {"query": query, "system": system.name if system else "stream-job", "title": system.title if system else
                 "stream-job replay", "notes": system.notes if system else "rows fsynced"}
        if not good or not runs[-1]["ok"]:
            results.append({**entry, "error": runs[-1]["error"] or "no rows"})
            continue
        middle = good[(len(good) - 1) // 2]
        entry.update({key: middle[key] for key in ("wallSeconds", "cpuSeconds", "peakBytes")})
        entry["steadySeconds"] = middle["told"].get("steadySeconds")
        entry["version"] = middle["told"].get("version")
        entry["cpuSecondsOfRounds"] = [run["cpuSeconds"] for run in runs if run["ok"]]
        entry["wallSecondsOfRounds"] = [run["wallSeconds"] for run in runs if run["ok"]]
        if system:
            entry["check"] = compare(told, query, system, outputs[None], outputs[system])
        results.append(entry)
    ours = results[0]
    for entry in results[1:]:
        if "wallSeconds" in entry and "wallSeconds" in ours:
            entry["wallRatio"] = entry["wallSeconds"] / ours["wallSeconds"]
            # Systems run in turn, so a round's ratio sees the same machine twice.
            pairs = zip(entry["cpuSecondsOfRounds"], ours["cpuSecondsOfRounds"])
            entry["cpuRatio"] = statistics.median(theirs / mine for theirs, mine in pairs)
    return results


def markdown(results):
    lines = ["| query | system | wall s | CPU s | M samples/s (whole) | M samples/s (steady) | peak MiB | wall / ours | CPU / ours"
             " | rows equal |", "|---|---|--:|--:|--:|--:|--:|--:|--:|---|"]
    for one in results:
        title = f"{one['title']} {one.get('version') or ''}".strip()
        if "error" in one:
            lines.append(f"| {one['query']} | {title} | {one['error'].strip().splitlines()[-1][:120]} | | | | | | | |")
            continue
        check = one.get("check")
        equal = "" if check is None else (f"{check['rows']:,}" if check["equal"] else "**no**: " + "; ".join(check["problems"])[:200])
        if check and check.get("missing"):
            equal += f" ({check['missing']:,} left open)"
        steady = one.get("steadySeconds")
        ratios = f"{one['wallRatio']:.2f} | {one['cpuRatio']:.2f}" if "wallRatio" in one else "1 | 1"
        lines.append(
            f"| {one['query']} | {title} | {one['wallSeconds']:.2f} | {one['cpuSeconds']:.2f} "
            f"| {SAMPLES / one['wallSeconds'] / 1e6:.2f} | {SAMPLES / steady / 1e6 if steady else 0:.2f} "
            f"| {one['peakBytes'] / 1048576:.0f} | {ratios} | {equal} |")
    seen = {one["title"]: one["notes"] for one in results}
    return "\n".join([*lines, "", *(f"- {title}: {notes}." for title, notes in seen.items())])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    parser.add_argument("--queries", default=",".join(INPUTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--timeout", type=int, default=1800, help="seconds until a run is stopped")
    parser.add_argument("--work", type=Path, default=ROOT / ".build/peers")
    parser.add_argument("--program", default=str(ROOT / ".build/release/stream-job"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    told = parser.parse_args()
    told.systems = [name for name in told.systems.split(",") if name]
    told.queries = told.queries.split(",")
    for name, known in [*((name, SYSTEMS) for name in told.systems), *((name, INPUTS) for name in told.queries)]:
        if name not in known:
            parser.error(f"unknown `{name}`; there are: {', '.join(known)}")
    inputs.make(told.work / "inputs")
    results = [result for query in told.queries for result in measured(query, told)]
    text = markdown(results)
    print(text)
    if told.json:
        told.json.write_text(json.dumps({"machine": platform.processor() or platform.machine(), "samples": SAMPLES,
                                         "workers": WORKERS, "results": results}, indent=1))
    if told.markdown:
        told.markdown.write_text(text + "\n")
    return 1 if any(not one.get("check", {"equal": True})["equal"] for one in results) else 0


if __name__ == "__main__":
    sys.exit(main())
