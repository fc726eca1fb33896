#!/usr/bin/env python3
"""The same input through `stream-job replay` and through other engines, in one run on one machine; rows checked row by row.

    peers.py [--systems duckdb,polars,…] [--queries tumbling,sliding,series] [--rounds N] [--limit SECONDS]
             [--without-steady] [--work DIRECTORY] [--program PATH] [--json FILE] [--markdown FILE]

Queries (input: inputs.py; sample-json, two files, two workers; count, sum, avg, min, max, stddev by (name, instance)):
  tumbling   1 m windows over 2,000,000 samples of 500 series            500,000 rows
  sliding    5 m windows every 10 s over the same                      3,014,125 rows
  series     1 m windows over 2,000,000 samples of 200,000 series        600,000 rows

Systems run in turn, N rounds (3; the slow ones are run once); of each the median counts. `wall` and `CPU` are of the whole
process with all its children, from start to exit, as is the peak of memory. `whole` is samples over that wall time; `steady`
leaves out what does not grow with the input (process, imports, JVM, session, plans): the same query over a quarter of the
input is run too, and 1,500,000 samples are divided by the difference of the two wall times.

Other engines come from PyPI into virtual environments of their own under DIRECTORY (.build/peers). One that cannot be
installed, or fails, or does not end within its limit (systems.py) is listed with its reason; the others go on. FILEs are
written after each run. Those on a JVM need Java 17 or later (`apt-get install default-jre-headless`), and up to
8 GiB of memory.
Exit status 1 if a system's rows differ from ours, or our own run fails or gives other numbers of rows than its input must; 130
if it was interrupted (what ran till then is in the FILEs).
"""
import argparse
import functools
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import inputs
import measure
import stream_job
from systems import SYSTEMS

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
INPUTS = {"tumbling": "few", "sliding": "few", "series": "many"}
SAMPLES, QUARTER = inputs.samples("few"), inputs.samples("few-quarter")
WORKERS = 2
LIMIT_SECONDS = 120
# The newest event time of each input: engines that close windows by their watermark only leave later ones open.
LAST_EVENT_MS = {"few": 1_767_225_600_000 + (3999 * 15 + 14) * 1000, "many": 1_767_225_600_000 + (9 * 15 + 14) * 1000}


@functools.cache
def environment(work, name, packages):
    """The Python of a system's own environment, made where it is not there; or why it cannot be, which is tried once a run."""
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
        said = (made.stderr.strip() or made.stdout.strip()).splitlines() or ["no reason given"]
        # What pip says last of a network that is not there is that it found no such package.
        if any("Failed to establish a new connection" in line or "Max retries exceeded" in line for line in said):
            return None, "cannot be installed: pip reaches no package index; is there a network?"
        return None, "cannot be installed: " + next((line for line in said if "ensurepip" in line), said[-1]).strip()
    (directory / "ready").touch()
    return python, None


@dataclass
class Entry:
    """A system's runs of one query; `system` is None for ours."""
    query: str
    system: object
    runs: list = field(default_factory=list)
    quarters: list = field(default_factory=list)
    check: dict | None = None

    @property
    def name(self):
        return self.system.name if self.system else "stream-job"

    @property
    def failure(self):
        return next((run["error"].strip() or "no reason given" for run in self.runs if not run["ok"]), None)

    def median(self, key):
        return statistics.median(run[key] for run in self.runs)

    def result(self, ours):
        """What is known of it, for the table and for others."""
        found = {"query": self.query, "system": self.name, "title": self.system.title if self.system else "stream-job replay",
                 "version": next((run["told"]["version"] for run in self.runs if "version" in run["told"]), None),
                 "limitSeconds": self.system.limit_seconds if self.system else LIMIT_SECONDS, "check": self.check,
                 "runs": self.runs, "quarterRuns": self.quarters}
        if self.failure or not self.runs:
            last = next((run for run in self.runs if not run["ok"]), {})
            return {**found, "error": self.failure or "not run", "finished": last.get("finished", True)}
        found.update({key: self.median(key) for key in ("wallSeconds", "cpuSeconds", "peakBytes")})
        quarters = [run["wallSeconds"] for run in self.quarters if run["ok"]]
        if quarters and found["wallSeconds"] > statistics.median(quarters):
            found["steadyPerSecond"] = (SAMPLES - QUARTER) / (found["wallSeconds"] - statistics.median(quarters))
        if self.system and ours.runs and not ours.failure:
            found["wallRatio"] = found["wallSeconds"] / ours.median("wallSeconds")
            found["cpuRatio"] = found["cpuSeconds"] / ours.median("cpuSeconds")
        return found


class Comparison:
    def __init__(self, told):
        self.told = told
        self.entries = [Entry(query, system) for query in told.queries
                        for system in [None, *(SYSTEMS[name] for name in told.systems)]
                        if system is None or query in system.queries]

    def ours(self, query):
        return next(entry for entry in self.entries if entry.query == query and entry.system is None)

    def output(self, entry, part=""):
        return self.told.work / "runs" / entry.query / (entry.name + part)

    def run_all(self):
        for query in self.told.queries:
            entries = [entry for entry in self.entries if entry.query == query]
            for part in ("", "-quarter"):
                inputs.warm(self.told.work / "inputs" / f"{INPUTS[query]}{part}-json")
            for number in range(self.told.rounds):
                for entry in entries:
                    rounds = min(self.told.rounds, entry.system.rounds_max if entry.system else self.told.rounds)
                    if number >= rounds or entry.failure:
                        continue
                    self.round(entry)
                    if number == rounds - 1 and entry.system and not entry.failure:
                        entry.check = self.compared(entry)
                        if not entry.check["equal"]:
                            print(f"{query} {entry.name}: rows differ: {entry.check['problems']}", file=sys.stderr)
                    self.save()

    def round(self, entry):
        """Over all of the input, then over a quarter of it."""
        shape = INPUTS[entry.query]
        run = self.one_run(entry, shape, self.output(entry))
        entry.runs.append(run)
        if run["ok"] and not self.told.without_steady:
            quarter = self.output(entry, "-quarter")
            entry.quarters.append(self.one_run(entry, f"{shape}-quarter", quarter))
            remove(quarter)
        print(f"{entry.query} {entry.name}: " + (
            f"{run['wallSeconds']:.2f} s, CPU {run['cpuSeconds']:.2f} s"
            + (f", a quarter {entry.quarters[-1]['wallSeconds']:.2f} s" if entry.quarters else "")
            if run["ok"] else run["error"].strip()), file=sys.stderr, flush=True)

    def one_run(self, entry, shape, output):
        remove(output)
        output.parent.mkdir(parents=True, exist_ok=True)
        source = self.told.work / "inputs" / f"{shape}-json"
        limit = self.told.limit or (entry.system.limit_seconds if entry.system else LIMIT_SECONDS)
        if entry.system is None:
            result = measure.run(stream_job.command(self.told.program, entry.query, source, output, WORKERS), timeout=limit)
            return stream_job.checked(result, inputs.samples(shape), inputs.rows(shape, entry.query))
        system = entry.system
        python, reason = environment(self.told.work, system.environment_name or system.name, system.packages)
        if not reason and system.needs_java and not (shutil.which("java") or os.environ.get("JAVA_HOME")):
            reason = "needs Java: apt-get install default-jre-headless"
        if reason:
            return {"ok": False, "finished": True, "error": reason, "told": {}}
        return measure.run([python, HERE / system.script, entry.query, source, output, WORKERS, *system.arguments],
                           environment=dict(system.variables), timeout=limit)

    def compared(self, entry):
        ours = self.ours(entry.query)
        if ours.failure:
            return {"equal": False, "problems": ["there are no rows of ours to compare with"]}
        python, reason = environment(self.told.work, "compare", ("pyarrow==26.0.1", "numpy==2.4.6"))
        if reason:
            return {"equal": False, "problems": [reason]}
        options = ["--open-after", str(LAST_EVENT_MS[INPUTS[entry.query]])] if entry.system.leaves_open else []
        done = subprocess.run([python, HERE / "compare.py", entry.query, self.output(ours) / "rows", self.output(entry), "--rows",
                               str(inputs.rows(INPUTS[entry.query], entry.query)), *options], capture_output=True, text=True)
        if done.returncode:
            return {"equal": False, "problems": [done.stderr.strip()[-500:]]}
        return json.loads(done.stdout)

    def results(self):
        return [entry.result(self.ours(entry.query)) for entry in self.entries if entry.runs]

    def save(self):
        results = self.results()
        if self.told.json:
            self.told.json.write_text(json.dumps({
                "machine": platform.processor() or platform.machine(), "samples": SAMPLES, "workers": WORKERS,
                "results": results}, indent=1))
        if self.told.markdown:
            self.told.markdown.write_text(markdown(results) + "\n")


def remove(output):
    """An output directory, and what scripts put beside it."""
    for path in (output, output.with_name(output.name + "-checkpoint")):
        shutil.rmtree(path, ignore_errors=True)


def markdown(results):
    lines = ["| query | system | wall s | CPU s | M samples/s (whole) | M samples/s (steady) | peak MiB | wall / ours | CPU / ours"
             " | rows equal |", "|---|---|--:|--:|--:|--:|--:|--:|--:|---|"]
    for one in results:
        title = f"{one['title']} {one['version'] or ''}".strip()
        if "error" in one:
            reason = one["error"].splitlines()[-1].replace("|", "/")[:160]
            run = one["runs"][-1]
            figures = "" if one["finished"] else f"> {run['wallSeconds']:.0f} | > {run['cpuSeconds']:.0f}"
            lines.append(f"| {one['query']} | {title} | {figures or ' | '} | | | | | | {reason} |")
            continue
        check = one["check"]
        equal = ""
        if check:
            equal = f"{check['rows']:,}" if check["equal"] else "**no**: " + "; ".join(check["problems"]).replace("|", "/")[:200]
            if check.get("leftOpen"):
                equal += f" ({check['leftOpen']:,} left open)"
        steady = millions(one["steadyPerSecond"]) if "steadyPerSecond" in one else "-"
        ratios = f"{one['wallRatio']:.1f}x | {one['cpuRatio']:.1f}x" if "wallRatio" in one else "1 | 1"
        lines.append(
            f"| {one['query']} | {title} | {one['wallSeconds']:.2f} | {one['cpuSeconds']:.2f} "
            f"| {millions(SAMPLES / one['wallSeconds'])} | {steady} | {one['peakBytes'] / 1048576:.0f} | {ratios} | {equal} |")
    lines += ["", "Where the work differs, and after how many seconds a run is stopped:", "",
              "- stream-job replay: samples in record order with watermarks, lateness judged sample by sample, compensated sums; "
              "Parquet (zstd) with page indexes and a manifest, fsynced; no checkpoint while it replays."]
    seen = {one["system"] for one in results}
    lines += [f"- {system.title}: {system.notes} (at most {system.limit_seconds} s; {rounds(system)})."
              for system in SYSTEMS.values() if system.name in seen]
    return "\n".join(lines)


def millions(rate):
    """Three digits that count."""
    rate /= 1e6
    return f"{rate:.2f}" if rate >= 1 else f"{rate:.3f}" if rate >= 0.1 else f"{rate:.4f}"


def rounds(system):
    return "run once" if system.rounds_max == 1 else "median of rounds"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    parser.add_argument("--queries", default=",".join(INPUTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=int, help="seconds until a run is stopped, for all systems (each its own, in systems.py)")
    parser.add_argument("--without-steady", action="store_true", help="leave out the runs over a quarter of the input")
    parser.add_argument("--work", type=Path, default=ROOT / ".build/peers")
    parser.add_argument("--program", default=str(ROOT / ".build/release/stream-job"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    told = parser.parse_args()
    # Ended from outside, it ends what it has started, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    told.systems = [name for name in told.systems.split(",") if name]
    told.queries = told.queries.split(",")
    told.work = told.work.resolve()
    for name, known in [*((name, SYSTEMS) for name in told.systems), *((name, INPUTS) for name in told.queries)]:
        if name not in known:
            parser.error(f"unknown `{name}`; there are: {', '.join(known)}")
    shapes = {INPUTS[query] for query in told.queries}
    inputs.make(told.work / "inputs", [f"{shape}{part}-json" for shape in sorted(shapes) for part in ("", "-quarter")])
    comparison = Comparison(told)
    comparison.run_all()
    print(markdown(comparison.results()))
    return 1 if any(entry.check and not entry.check["equal"] or entry.system is None and entry.failure
                    for entry in comparison.entries) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("peers.py: stopped", file=sys.stderr)
        sys.exit(130)
