#!/usr/bin/env python3
"""Measures what is asked of the engine's speed (docs/performance.md), item by item: `scripts/bench.sh` builds and calls this.

    items.py [--items text,json,kafka,sliding,cores,cardinality,latency,footprint,peers] [--rounds N] [--out DIRECTORY]

Writes DIRECTORY/results.json and DIRECTORY/results.md (.build/bench). CPU seconds are user + system of the whole process; the
median of N rounds (3) counts; what is a ratio was measured in turn, in this run. Other work on the machine spoils wall times,
and CPU times too where caches and the clock are shared: run it alone.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Benchmarks/peers"))
import inputs  # noqa: E402
import measure  # noqa: E402
import stream_job  # noqa: E402

SAMPLES = inputs.samples("few")


@dataclass
class Figure:
    item: str
    what: str
    asked: str
    measured: str
    ratio: str
    holds: bool | None
    """None where nothing is asked."""


class Bench:
    def __init__(self, told):
        self.told = told
        self.out = told.out
        self.figures = []
        self.raw = {}
        self.out.mkdir(parents=True, exist_ok=True)
        self.inputs = ROOT / ".build/peers/inputs"

    def add(self, item, what, asked, measured, ratio="", holds=None):
        self.figures.append(Figure(item, what, asked, measured, ratio, holds))
        print(f"{item}: {what}: {measured} (asked {asked or '-'}) {ratio}", file=sys.stderr)

    # What is run.

    def c_loop(self, form, directory):
        """CPU seconds of the C loop over a directory's files, the best of five passes."""
        program = self.out / "newlines-strtod"
        subprocess.run(["cc", "-O2", "-o", program, ROOT / "Benchmarks/reference/newlines-strtod.c"], check=True)
        done = subprocess.run([program, form, "5", *sorted(directory.iterdir())], check=True, capture_output=True, text=True)
        return json.loads(done.stdout)

    def replay(self, query, source, output_format, workers):
        output = self.out / "replay" / query
        shutil.rmtree(output, ignore_errors=True)
        output.parent.mkdir(parents=True, exist_ok=True)
        result = measure.run(stream_job.command(
            self.told.program, query, source, output, workers, ["--set", f"sources.metrics.format={output_format}"]))
        if not result["ok"]:
            sys.exit(f"replay of {source}: {result['error']}")
        return result

    def replays(self, query, source, form, workers):
        """The runs of all rounds."""
        return [self.replay(query, source, form, workers) for _ in range(self.told.rounds)]

    def benchmark(self, name):
        """The figures that a benchmark of Benchmarks/main.swift reports, by input; its text goes to standard error."""
        if name not in self.raw:
            path = self.out / f"{name}.jsonl"
            path.unlink(missing_ok=True)
            done = subprocess.run([self.told.benchmarks, name], stdout=subprocess.PIPE, text=True,
                                  env={**os.environ, "BENCHMARK_JSON": str(path), "BENCHMARK_INPUTS": str(self.inputs)})
            print(done.stdout, file=sys.stderr)
            lines = path.read_text().splitlines() if path.exists() else []
            self.raw[name] = {(one["benchmark"], one["input"]): one for one in map(json.loads, lines)}
        return self.raw[name]

    # The items.

    def form(self, item, form, format_name, asked_few, asked_many):
        few, many = self.inputs / f"few-{form}", self.inputs / f"many-{form}"
        runs, loops = [], []
        for _ in range(self.told.rounds):  # in turn
            loops.append(self.c_loop(form, few))
            runs.append(self.replay("tumbling", few, format_name, 1))
        self.raw[f"{item} replay"] = runs
        self.raw[f"{item} loop"] = loops
        loop_rate = loops[0]["lines"] / min(loop["seconds"] for loop in loops) / 1e6
        self.add(item, "C loop: newlines and strtod only, M lines/s", "", f"{loop_rate:.1f}")
        rate = 1e3 / self.benchmark("files")[("files", f"few-{form}")]["nsPerSample"]
        self.add(item, "data plane of one partition (decode, series, windows) over the same bytes in memory, 500 series; "
                 "M samples/s a core", f"{asked_few}", f"{rate:.2f}", f"{loop_rate / rate:.2f}x the loop's time",
                 rate >= asked_few)
        if form == "text":
            self.add(item, "the same against the loop", "<= 2x its time", f"{loop_rate / rate:.2f}x", "",
                     loop_rate <= 2 * rate)
        hot = 1e3 / self.benchmark("stages")[("stages", f"{format_name} task")]["nsPerSample"]
        self.add(item, "the same where text stays in the cache and values have ten digits (`stages`)", "", f"{hot:.2f}")
        cpu = statistics.median(run["cpuSeconds"] for run in runs)
        self.add(item, "whole process with reading, 500,000 rows and Parquet, 500 series: M samples a CPU-second",
                 "", f"{SAMPLES / cpu / 1e6:.2f}", f"{cpu / min(one['seconds'] for one in loops):.2f}x the loop's time")
        cold = 1e3 / self.benchmark("files")[("files", f"many-{form}")]["nsPerSample"]
        self.add(item, "data plane of one partition, *many*: 200,000 series of ten samples, their first sight included; "
                 "M samples/s a core", "", f"{cold:.2f}")
        if asked_many:
            ns = self.benchmark("cardinality")[("cardinality", "200000 series")]["nsPerSample"]
            self.add(item, "data plane of one partition, 200,000 series once known; M samples/s a core", f"{asked_many}",
                     f"{1e3 / ns:.2f}", "", 1e3 / ns >= asked_many)
        cpu = statistics.median(run["cpuSeconds"] for run in self.replays("series", many, format_name, 1))
        self.add(item, "whole process, 200,000 series (10 samples each, so a tenth are new), 600,000 rows: M samples a CPU-second",
                 "", f"{SAMPLES / cpu / 1e6:.2f}")

    def text(self):
        self.form("1 text", "text", "prometheus", 8, 4)

    def json(self):
        self.form("2 sample-json", "json", "sample-json", 4, None)

    def stages(self):
        for (_, name), one in self.benchmark("stages").items():
            self.add("stages", f"{name}: ns, allocations and allocated bytes per million samples", "",
                     f"{one['nsPerSample']:.1f} ns, {one['allocationsPerMillion']:.0f}, {one['allocatedBytesPerMillion']:.0f} B")

    def sliding(self):
        for (_, name), one in self.benchmark("sliding").items():
            asked = "" if name.startswith("1m every") else "<= 1.5x tumbling"
            self.add("4 sliding", f"{name}: CPU ns a sample, rows out excluded", asked, f"{one['nsPerSample']:.1f}",
                     f"{one['ratio']:.2f}x", one["ratio"] <= 1.5 if asked else None)

    def cores(self):
        source = self.inputs / "four-text"
        one, two = [], []
        for _ in range(self.told.rounds):
            one.append(self.replay("tumbling", source, "prometheus", 1)["wallSeconds"])
            two.append(self.replay("tumbling", source, "prometheus", 2)["wallSeconds"])
        ratio = statistics.median(a / b for a, b in zip(one, two))
        self.add("5 two cores", "4 partitions of text, whole process with Parquet out: wall seconds, 1 and 2 workers", ">= 1.8x",
                 f"{statistics.median(one):.2f}, {statistics.median(two):.2f}", f"{ratio:.2f}x", ratio >= 1.8)

    def cardinality(self):
        figures = self.benchmark("cardinality")
        for (kind, name), one in figures.items():
            if kind == "cardinality":
                asked = ">= 40 % of 500's" if name.startswith("1000000") else ""
                self.add("6 cardinality", f"{name}: CPU ns a sample (first scrape: {one['firstScrapeNs']:.0f})", asked,
                         f"{one['nsPerSample']:.1f}", f"{100 * one['shareOfFew']:.0f} %",
                         one["shareOfFew"] >= 0.4 if asked else None)
            else:
                for key, what, limit in [("bytesPerSeries", "a series beyond its label text", 120),
                                         ("bytesPerOpenPane", "a (group, open pane)", 80),
                                         ("bytesPerFrozenWindow", "a (group, frozen window not yet emitted)", 80)]:
                    self.add("6 cardinality", f"{name}: bytes of memory for {what}", f"<= {limit}", f"{one[key]:.1f}", "",
                             one[key] <= limit)

    def figures_of(self, item, name):
        """A benchmark that gives a `ratio` each, and says itself what is `asked` of it."""
        for (_, what), one in self.benchmark(name).items():
            measured = ", ".join(f"{key} {value:.3g}" for key, value in one.items()
                                 if key not in ("benchmark", "input", "asked", "ratio"))
            self.add(item, what, f">= {one['asked']:g}" if "asked" in one else "", measured, f"{one['ratio']:.2f}",
                     one["ratio"] >= one["asked"] if "asked" in one else None)

    def kafka(self):
        self.figures_of("3 Kafka", "kafka-path")

    def script(self, item, name, asked):
        """A script of scripts/verify that says in words what it measured, and by its exit status whether it holds."""
        path = ROOT / "scripts/verify" / name
        done = subprocess.run([sys.executable, path, "--binary", self.told.program], capture_output=True, text=True)
        lines = [line for line in done.stdout.strip().splitlines() if line]
        self.raw[name] = {"lines": lines, "status": done.returncode}
        if done.returncode not in (0, 1) or not lines:
            lines = [(done.stderr.strip().splitlines() or ["it printed nothing"])[-1]]
        for line in lines[:-1]:
            self.add(item, line, "", "")
        self.add(item, lines[-1], asked, "", "", done.returncode == 0)

    def latency(self):
        self.script("7 latency", "latency.py", "p99 <= trigger + 50 ms")

    def footprint(self):
        self.script("8 footprint", "footprint.py", "< 64 MiB, < 3 % of a core, joined in < 200 ms")

    def peers(self):
        path = self.out / "peers.json"
        command = [sys.executable, ROOT / "Benchmarks/peers/peers.py", "--program", self.told.program, "--json", path,
                   "--markdown", self.out / "peers.md", "--rounds", str(self.told.rounds)]
        if self.told.systems:
            command += ["--systems", self.told.systems]
        path.unlink(missing_ok=True)
        subprocess.run(command, stdout=sys.stderr)
        if not path.exists():
            return self.add("9 peers", "the comparison failed", "", "-", "", False)
        results = json.loads(path.read_text())["results"]
        self.raw["peers"] = results
        asked = {"tumbling": 2, "sliding": 4, "series": 2}
        for one in results:
            if one["system"] == "stream-job":
                continue
            name = f"{one['query']}, two workers, sample-json, Parquet fsynced: {one['title']}'s wall time over ours"
            if "wallRatio" not in one:
                self.add("9 peers", name, "", one["error"].strip().splitlines()[-1][:100])
                continue
            wanted = asked[one["query"]] if one["system"] == "duckdb" else None
            self.add("2 against DuckDB" if wanted else "9 peers", name, f">= {wanted}x" if wanted else "",
                     f"{one['wallSeconds']:.2f} s against {one['wallSeconds'] / one['wallRatio']:.2f} s",
                     f"{one['wallRatio']:.2f}x (CPU {one['cpuRatio']:.2f}x)"
                     + ("" if one["check"]["equal"] else ", ROWS DIFFER"),
                     one["wallRatio"] >= wanted and one["check"]["equal"] if wanted else None)

    ITEMS = ["text", "json", "stages", "kafka", "sliding", "cores", "cardinality", "latency", "footprint", "peers"]

    # Results.

    def markdown(self):
        lines = ["| item | what | asked | measured | ratio | holds |", "|---|---|---|--:|--:|---|"]
        for one in self.figures:
            holds = {None: "", True: "yes", False: "**no**"}[one.holds]
            lines.append(f"| {one.item} | {one.what} | {one.asked} | {one.measured} | {one.ratio} | {holds} |")
        return "\n".join(lines)

    def write(self, machine):
        (self.out / "results.md").write_text(f"{machine}\n\n{self.markdown()}\n")
        # In-process figures are known by pairs, which JSON has no keys for.
        raw = {name: [value for value in one.values()] if isinstance(one, dict) and "status" not in one else one
               for name, one in self.raw.items()}
        (self.out / "results.json").write_text(json.dumps(
            {"machine": machine, "figures": [asdict(one) for one in self.figures], "raw": raw}, indent=1))


def write_docs(out):
    """Puts the tables between the markers of docs/performance.md."""
    page = ROOT / "docs/performance.md"
    text = page.read_text()
    for name, path in [("measured", out / "results.md"), ("peers", out / "peers.md")]:
        if path.exists():
            begin, end = f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->"
            head, rest = text.split(begin)
            text = head + begin + path.read_text().strip() + "\n" + end + rest.partition(end)[2]
    page.write_text(text)


def machine():
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "unknown processor")
    swift = subprocess.run(["swift", "--version"], capture_output=True, text=True).stdout.splitlines()[:1]
    load = os.getloadavg()[0]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout.strip()
    busy = f", other work beforehand (load {load:.1f})" if load > 0.7 else ""
    return f"{model}, {os.cpu_count()} cores, {''.join(swift)}, commit {commit}{busy}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", default=",".join(Bench.ITEMS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--systems", default="", help="for peers: which (all)")
    parser.add_argument("--out", type=Path, default=ROOT / ".build/bench")
    parser.add_argument("--docs", action="store_true", help="put the tables into docs/performance.md")
    parser.add_argument("--program", default=str(ROOT / ".build/release/stream-job"))
    parser.add_argument("--benchmarks", default=str(ROOT / ".build/release/benchmarks"))
    told = parser.parse_args()
    items = told.items.split(",")
    for item in items:
        if item not in Bench.ITEMS:
            parser.error(f"unknown `{item}`; there are: {', '.join(Bench.ITEMS)}")
    bench = Bench(told)
    name = machine()
    inputs.make(bench.inputs)
    for item in items:
        getattr(bench, item)()
        bench.write(name)
    print(f"{name}\n\n{bench.markdown()}")
    if told.docs:
        write_docs(told.out)
    return 1 if any(one.holds is False for one in bench.figures) else 0


if __name__ == "__main__":
    sys.exit(main())
