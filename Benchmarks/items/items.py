#!/usr/bin/env python3
"""Measures what is asked of the engine's speed (docs/performance.md), item by item: `scripts/bench.sh` builds and calls this.

    items.py [--items text,json,stages,kafka,sliding,cores,cardinality,latency,footprint,peers] [--systems duckdb,…]
             [--rounds N] [--quick] [--out DIRECTORY] [--docs]

Writes DIRECTORY/results.json and DIRECTORY/results.md (.build/bench) after each item; items that are not measured this time
stay in them as they were, with the commit they were measured at. CPU seconds are user + system of the whole process; the
median of N rounds (3) counts; what is a ratio was measured in turn, in one run. Other work on the machine spoils wall times,
and CPU times too where caches and the clock are shared: run it alone. How much other work there was is told.

--quick: one round, the batch engines only, shorter runs of `kafka`, `latency` and `footprint`: shows that all works; its
figures are no measure and go to DIRECTORY/quick. An item that cannot be measured is listed as one that does not hold, and the
others go on. So is one whose runs were wrong: all samples must be in windows and all rows there that the input must give.
Exit status 1 if something asked does not hold; 130 if it was interrupted, when the items before that are in DIRECTORY.
"""
import argparse
import json
import multiprocessing
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Benchmarks/peers"))
import inputs  # noqa: E402
import measure  # noqa: E402
import stream_job  # noqa: E402
from systems import SYSTEMS  # noqa: E402

SAMPLES = inputs.samples("few")


# Of each item: about how many seconds it takes on a quiet machine of two cores (once its inputs are made), and its inputs.
ITEMS = {
    "text": (100, ["few-text", "few-json", "many-text", "many-json"]),
    "json": (15, ["few-text", "few-json", "many-text", "many-json"]),
    "stages": (5, []),
    "kafka": (90, []),
    "sliding": (20, []),
    "cores": (90, ["long-text"]),
    "cardinality": (5, []),
    "latency": (75, []),
    "footprint": (90, []),
    "peers": (1600, ["few-json", "many-json", "few-quarter-json", "many-quarter-json"]),
}
STAGES = [f"{form} {stage}" for form in ("prometheus", "sample-json")
          for stage in ("read", "decode", "decode, order changes", "task")]
QUICK = {"kafka": 20, "latency": 30, "footprint": 45, "cores": 60, "peers": 30}


class NotMeasured(Exception):
    """Why an item has no figures."""


def side_by_side(calls):
    """What the calls give, each made by a process of its own, all at once: `measure.run` takes a process' children for its own."""
    fork = multiprocessing.get_context("fork")
    pipes = [fork.Pipe(duplex=False) for _ in calls]
    children = [fork.Process(target=lambda pipe=pipe, call=call: pipe.send(call()))
                for (_, pipe), call in zip(pipes, calls)]
    for child in children:
        child.start()
    for _, pipe in pipes:
        pipe.close()
    try:
        return [results.recv() for results, _ in pipes]
    except EOFError:
        raise NotMeasured("a run beside another one failed (see above)") from None
    finally:
        for child in children:
            child.join()


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
        self.results = Results(self.out)

    def add(self, item, what, asked, measured, ratio="", holds=None):
        self.figures.append(Figure(item, what, asked, measured, ratio, holds))
        print(f"{item}: {what}: {measured} (asked {asked or '-'}) {ratio}", file=sys.stderr, flush=True)

    def measure(self, name, machine):
        """One item, into the results."""
        self.figures, watch, start = [], OtherWork(), time.monotonic()
        known = set(self.raw)
        try:
            inputs.make(self.inputs, ITEMS[name][1])
            watch = OtherWork()
            getattr(self, name)()
        except (Exception, SystemExit) as failure:  # one item never loses the others
            if not isinstance(failure, NotMeasured):
                traceback.print_exception(failure)
            text = (str(failure).strip().splitlines() or [type(failure).__name__])[-1].replace("|", "/")[:300]
            self.add(name, f"could not be measured: {text}", "to be measured", "-", "", False)
        # In-process figures are known by pairs, which JSON has no keys for.
        raw = {key: list(one.values()) if isinstance(one, dict) and "status" not in one else one
               for key, one in self.raw.items() if key not in known}
        self.results.put(name, {"machine": machine, "otherWork": watch.share(), "seconds": time.monotonic() - start,
                                "figures": [asdict(one) for one in self.figures], "raw": raw})

    # What is run.

    def c_loop(self, form, directory):
        """CPU seconds of the C loop over a directory's files, the best of five passes."""
        program = self.out / "newlines-strtod"
        subprocess.run(["cc", "-O2", "-o", program, ROOT / "Benchmarks/reference/newlines-strtod.c"], check=True)
        done = subprocess.run([program, form, "5", *sorted(directory.iterdir())], check=True, capture_output=True, text=True)
        told = json.loads(done.stdout)
        if told["lines"] != SAMPLES:
            raise NotMeasured(f"the C loop found {told['lines']} lines in {directory}, not {SAMPLES}")
        return told

    def replay(self, query, source, output_format, workers, cores=None, sink="parquet", name=None):
        """A run of the program, its output in a directory of that name (else the query's)."""
        output = self.out / "replay" / (name or query)
        shutil.rmtree(output, ignore_errors=True)
        output.parent.mkdir(parents=True, exist_ok=True)
        shape = source.name.rsplit("-", 1)[0]
        result = stream_job.checked(measure.run(stream_job.command(
            self.told.program, query, source, output, workers, ["--set", f"sources.metrics.format={output_format}"], sink),
            cores=cores), inputs.samples(shape), inputs.rows(shape, query))
        if not result["ok"]:
            raise NotMeasured(f"replay of {source.name}: {result['error'].strip()}")
        return result

    def replays(self, query, source, form, workers):
        """The runs of all rounds."""
        return [self.replay(query, source, form, workers) for _ in range(self.told.rounds)]

    def benchmark(self, name, expected):
        """The figures that a benchmark of Benchmarks/main.swift reports, by input; its text goes to standard error. It gives at
        least `expected`, or else it has failed."""
        if name not in self.raw:
            path = self.out / f"{name}.jsonl"
            path.unlink(missing_ok=True)
            environment = {"BENCHMARK_JSON": str(path), "BENCHMARK_INPUTS": str(self.inputs)}
            if self.told.quick:
                environment["KAFKA_PATH_SAMPLES"] = "1000000"
            done = subprocess.run([self.told.benchmarks, name], capture_output=True, text=True,
                                  env={**os.environ, **environment})
            print(done.stdout + done.stderr, file=sys.stderr)
            lines = path.read_text().splitlines() if path.exists() else []
            found = {(one["benchmark"], one["input"]): one for one in map(json.loads, lines)}
            if done.returncode or not found:
                raise NotMeasured(f"`benchmarks {name}` ended with status {done.returncode}: "
                                  + (done.stderr.strip() or done.stdout.strip() or "it printed nothing").splitlines()[-1])
            self.raw[name] = found
        missing = [one for one in expected if one not in {of for _, of in self.raw[name]}]
        if missing:
            raise NotMeasured(f"`benchmarks {name}` gave no figures of {', '.join(missing)}")
        return self.raw[name]

    # The items.

    def form(self, item, form, format_name, asked_few, asked_many):
        few, many = self.inputs / f"few-{form}", self.inputs / f"many-{form}"
        inputs.warm(few)
        inputs.warm(many)
        runs, loops = [], []
        for _ in range(self.told.rounds):  # in turn
            loops.append(self.c_loop(form, few))
            runs.append(self.replay("tumbling", few, format_name, 1))
        self.raw[f"{item} replay"] = runs
        self.raw[f"{item} loop"] = loops
        loop_rate = loops[0]["lines"] / min(loop["seconds"] for loop in loops) / 1e6
        self.add(item, "C loop: newlines and strtod only, M lines/s", "", f"{loop_rate:.1f}")
        files = self.benchmark("files", [f"few-{form}", f"many-{form}"])
        rate = 1e3 / files[("files", f"few-{form}")]["nsPerSample"]
        self.add(item, "data plane of one partition (decode, series, windows) over the same bytes in memory, 500 series; "
                 "M samples/s a core", f"{asked_few}", f"{rate:.2f}", f"{loop_rate / rate:.2f}x the loop's time",
                 rate >= asked_few)
        if form == "text":
            self.add(item, "the same against the loop", "<= 2x its time", f"{loop_rate / rate:.2f}x", "",
                     loop_rate <= 2 * rate)
        hot = 1e3 / self.benchmark("stages", [f"{format_name} task"])[("stages", f"{format_name} task")]["nsPerSample"]
        self.add(item, "the same where text stays in the cache and values have ten digits (`stages`)", "", f"{hot:.2f}")
        cpu = statistics.median(run["cpuSeconds"] for run in runs)
        self.add(item, "whole process with reading, 500,000 rows and Parquet, 500 series: M samples a CPU-second",
                 "", f"{SAMPLES / cpu / 1e6:.2f}", f"{cpu / min(one['seconds'] for one in loops):.2f}x the loop's time")
        cold = 1e3 / files[("files", f"many-{form}")]["nsPerSample"]
        self.add(item, "data plane of one partition, *many*: 200,000 series of ten samples, their first sight included; "
                 "M samples/s a core", f"{asked_many}" if asked_many else "", f"{cold:.2f}", "",
                 cold >= asked_many if asked_many else None)
        if asked_many:
            ns = self.benchmark("cardinality", ["200000 series"])[("cardinality", "200000 series")]["nsPerSample"]
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
        for (_, name), one in self.benchmark("stages", STAGES).items():
            self.add("stages", f"{name}: ns, allocations and allocated bytes per million samples", "",
                     f"{one['nsPerSample']:.1f} ns, {one['allocationsPerMillion']:.0f}, {one['allocatedBytesPerMillion']:.0f} B")

    def sliding(self):
        expected = [f"{window} every {seconds} s" for window in ("1m", "1m/10s", "5m/10s", "1h/10s") for seconds in (1, 15)]
        for (_, name), one in self.benchmark("sliding", expected).items():
            asked = "" if name.startswith("1m every") else "<= 1.5x tumbling"
            self.add("4 sliding", f"{name}: CPU ns a sample, rows out excluded", asked, f"{one['nsPerSample']:.1f}",
                     f"{one['ratio']:.2f}x", 0 < one["ratio"] <= 1.5 if asked else None)

    def cores(self):
        """One core is the whole process pinned to it, with one worker; two are two cores and two workers."""
        usable = sorted(os.sched_getaffinity(0))
        if len(usable) < 2:
            raise NotMeasured("there is one core only")
        source = self.inputs / "long-text"
        inputs.warm(source)
        samples = inputs.samples("long")
        for sink, asked in [("parquet", ">= 1.8x"), ("jsonl", "")]:
            rounds, apart = [], []
            for _ in range(self.told.rounds):
                one = self.replay("tumbling", source, "prometheus", 1, usable[:1], sink)
                two = self.replay("tumbling", source, "prometheus", 2, usable[:2], sink)
                rounds.append((one, two))
                apart.append(side_by_side([lambda core=core: self.replay(
                    "tumbling", source, "prometheus", 1, [core], sink, f"tumbling-{core}") for core in usable[:2]]))
            self.raw[f"cores {sink}"] = rounds
            self.raw[f"cores {sink}, apart"] = apart
            ratio = statistics.median(one["wallSeconds"] / two["wallSeconds"] for one, two in rounds)

            def medians(key):
                return ", ".join(f"{statistics.median(run[key] for run in runs):.2f}" for runs in zip(*rounds))

            self.add("5 two cores", f"{samples // 1_000_000} M samples of text in 4 partitions, whole process, {sink} out: wall "
                     "seconds of the process pinned to one core with one worker, and on two cores with two", asked,
                     f"{medians('wallSeconds')} (CPU {medians('cpuSeconds')})", f"{ratio:.2f}x", ratio >= 1.8 if asked else None)
            # What two processes that share nothing lose beside each other no program can win back.
            slower = [max(run["wallSeconds"] for run in runs) for runs in apart]
            limit = statistics.median(2 * one["wallSeconds"] / wall for (one, _), wall in zip(rounds, slower))
            self.add("5 two cores", f"the machine's own limit, {sink} out: two such processes of one worker at once, each pinned to its "
                     "core: wall seconds of the slower, and twice one alone over it", "", f"{statistics.median(slower):.2f}",
                     f"{limit:.2f}x")

    def cardinality(self):
        figures = self.benchmark("cardinality", ["500 series", "200000 series", "1000000 series"])
        for size in ("200000 series", "1000000 series"):
            if ("memory", size) not in figures:
                raise NotMeasured(f"`benchmarks cardinality` gave no memory of {size}")
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
                    # Less than nothing would be a fault of the measurement.
                    self.add("6 cardinality", f"{name}: bytes of memory for {what}", f"<= {limit}", f"{one[key]:.1f}", "",
                             0 < one[key] <= limit)

    def kafka(self):
        shapes = ["250 samples a message, M samples/s", "1 samples a message, M samples/s"]
        figures = self.benchmark("kafka-path", [f"CPU of own threads, {shape}" for shape in shapes])
        for (_, what), one in figures.items():
            measured = ", ".join(f"{key} {value:.3g}" for key, value in one.items()
                                 if key not in ("benchmark", "input", "asked", "ratio"))
            # The asked 80 % are of the engine's own threads.
            asked = 0.8 if what.startswith("CPU of own threads") else None
            self.add("3 Kafka", what, f">= {asked:g}" if asked else "", measured, f"{one['ratio']:.2f}",
                     one["ratio"] >= asked if asked else None)

    def script(self, item, name, asked, rate, quick_seconds):
        """A script of scripts/verify that says in words what it measured, and by its exit status whether it holds; at no less
        than the `rate` of messages or samples a second that is asked for."""
        path = ROOT / "scripts/verify" / name
        options = ["--seconds", str(quick_seconds)] if self.told.quick else []
        done = subprocess.run([sys.executable, path, "--binary", self.told.program, *options], capture_output=True, text=True)
        lines = [line for line in done.stdout.strip().splitlines() if line]
        self.raw[name] = {"lines": lines, "status": done.returncode}
        if done.returncode not in (0, 1) or not lines or not lines[-1].startswith("limit"):
            raise NotMeasured(f"{name} ended with status {done.returncode}: "
                              + (done.stderr.strip().splitlines() or ["it printed nothing"])[-1])
        for line in lines[:-1]:
            self.add(item, line, "", "")
        told = re.search(r"([\d,]+) (?:messages|samples)/s", lines[0])
        reached = float(told[1].replace(",", "")) if told else 0
        short = "" if reached >= 0.99 * rate else f", but at {reached:,.0f} of {rate:,}/s only"
        self.add(item, lines[-1] + short, asked, "", "", done.returncode == 0 and not short)

    def latency(self):
        self.script("7 latency", "latency.py", "p99 <= trigger + 50 ms", 100_000, 15)

    def footprint(self):
        self.script("8 footprint", "footprint.py", "< 64 MiB, < 3 % of a core, joined in < 200 ms", 728, 15)

    def peers(self):
        path = self.out / "peers.json"
        command = [sys.executable, ROOT / "Benchmarks/peers/peers.py", "--program", self.told.program, "--json", path,
                   "--markdown", self.out / "peers.md", "--rounds", str(self.told.rounds)]
        systems = self.told.systems or ("duckdb,polars" if self.told.quick else "")
        if systems:
            command += ["--systems", systems]
        path.unlink(missing_ok=True)
        done = subprocess.run(command, stdout=sys.stderr)
        if done.returncode == 130:
            raise KeyboardInterrupt
        if not path.exists():
            raise NotMeasured(f"the comparison ended with status {done.returncode} before its first result")
        results = json.loads(path.read_text())["results"]
        self.raw["peers"] = results
        asked = {"tumbling": 2, "sliding": 4, "series": 2}
        ours = {one["query"]: one for one in results if one["system"] == "stream-job"}
        equal = 0
        for one in results:
            if one["system"] == "stream-job":
                continue
            wanted = asked[one["query"]] if one["system"] == "duckdb" else None
            item, limit = ("2 against DuckDB", f">= {wanted}x") if wanted else ("9 peers", "")
            name = f"{one['query']}, two workers, sample-json, Parquet fsynced: {one['title']}'s wall time over ours"
            if "wallRatio" not in one:
                reason = one.get("error") or ours[one["query"]].get("error") or "not measured"
                # Another engine may fail; not one that something is asked against, and not ours.
                wrong = wanted or ours[one["query"]].get("error")
                self.add(item, name, limit, reason.strip().splitlines()[-1].replace("|", "/")[:160], "", False if wrong else None)
                continue
            mine = ours[one["query"]]["wallSeconds"]
            same = bool(one["check"] and one["check"]["equal"])
            equal += same
            clocks = [run["told"]["steadySeconds"] for run in one["runs"] if run["told"].get("steadySeconds")]
            alone = f"; its query alone {statistics.median(clocks) / mine:.2f}x" if wanted and clocks else ""
            self.add(item, name, limit, f"{one['wallSeconds']:.2f} s against {mine:.2f} s",
                     f"{one['wallRatio']:.2f}x (CPU {one['cpuRatio']:.2f}x{alone})" + ("" if same else ", ROWS DIFFER"),
                     one["wallRatio"] >= wanted and same if wanted else None if same else False)
        theirs = [one for one in results if one["system"] != "stream-job"]
        if not systems or done.returncode:
            self.add("9 peers", "runs of other engines that ended and gave our rows, row by row", "all",
                     f"{equal} of {len(theirs)}", "", bool(theirs) and equal == len(theirs) and done.returncode == 0)


class OtherWork:
    """How much of the machine's CPU time something else had since this was made."""

    def __init__(self):
        self.start = self.now()

    @staticmethod
    def now():
        fields = [int(text) for text in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        idle = fields[3] + fields[4]
        own = sum(os.times()[:4])
        return sum(fields) / os.sysconf("SC_CLK_TCK"), (sum(fields) - idle) / os.sysconf("SC_CLK_TCK"), own

    def share(self):
        total, busy, own = (now - then for now, then in zip(self.now(), self.start))
        return max(0.0, (busy - own) / total) if total else 0.0


class Results:
    """What was measured of each item last, in a file that is written after each."""

    def __init__(self, out):
        self.out = out
        self.items = {}
        path = out / "results.json"
        if path.exists():
            try:
                self.items = {name: one for name, one in json.loads(path.read_text()).get("items", {}).items() if name in ITEMS}
            except ValueError:
                print(f"{path} is damaged; it is written anew", file=sys.stderr)

    def put(self, name, result):
        self.items[name] = result
        (self.out / "results.md").write_text(self.markdown() + "\n")
        partial = self.out / "results.json.partial"
        partial.write_text(json.dumps({"items": self.items}, indent=1))
        partial.rename(self.out / "results.json")

    def markdown(self):
        """A table for each machine and commit."""
        parts = []
        known = [(name, self.items[name]) for name in ITEMS if name in self.items]
        for machine in dict.fromkeys(one["machine"] for _, one in known):
            lines = [machine, "", "| item | what | asked | measured | ratio | holds |", "|---|---|---|--:|--:|---|"]
            here = [(name, one) for name, one in known if one["machine"] == machine]
            for figure in (figure for _, one in here for figure in one["figures"]):
                holds = {None: "", True: "yes", False: "**no**"}[figure["holds"]]
                lines.append("| " + " | ".join([*(figure[key] for key in ("item", "what", "asked", "measured", "ratio")), holds])
                             + " |")
            others = ", ".join(f"{name} {100 * one['otherWork']:.0f} %" for name, one in here if one["seconds"] >= 1)
            parts.append("\n".join([*lines, "", f"CPU time of the machine that other work took meanwhile: {others}."]))
        return "\n\n".join(parts)


def stages_table(item):
    """Where a sample's time goes, from the figures of `stages`: what is done once a sample, and the two differences."""
    found = {one["what"].partition(":")[0]: [float(text) for text in re.findall(r"[\d.]+", one["measured"])]
             for one in item["figures"]}
    forms = ("prometheus", "sample-json")

    def cells(stage, less=None):
        for form in forms:
            yield f"{found[f'{form} {stage}'][0] - (found[f'{form} {less}'][0] if less else 0):.0f}"
        for form in forms:
            _, calls, size = found[f"{form} {stage}"]
            yield "" if less else f"{calls:,.0f} ({size / 1048576:.1f} MiB)"

    lines = [item["machine"], "", "| stage | text, ns | `sample-json`, ns | text, allocations in a million samples | "
             "`sample-json`, the same |", "|---|--:|--:|--:|--:|"]
    for name, stage, less in [
            ("read: the file (page cache), cut into whole lines", "read", None),
            ("decode into columns, the series predicted from the scrape before", "decode", None),
            ("series look-up by hash instead: more, where no prediction holds", "decode, order changes", "decode"),
            ("aggregate: 1-minute windows of six aggregates, frozen and taken", "task", "decode"),
            ("decode and aggregate together", "task", None)]:
        lines.append(f"| {name} | " + " | ".join(cells(stage, less)) + " |")
    return "\n".join(lines)


def write_docs(out, results):
    """Puts the tables between the markers of docs/performance.md; not one that lacks items which the page has."""
    if all(any(one["what"].startswith(f"{stage}:") for one in results.items.get("stages", {}).get("figures", [])) for stage in STAGES):
        (out / "stages.md").write_text(stages_table(results.items["stages"]) + "\n")
    page = ROOT / "docs/performance.md"
    text = page.read_text()
    missing = [name for name in ITEMS if name not in results.items]
    if missing:
        print(f"{page}: the table of items stays as it is; never measured: {', '.join(missing)}", file=sys.stderr)
    for name, path in [("stages", out / "stages.md"), ("measured", out / "results.md"), ("peers", out / "peers.md")]:
        if path.exists() and not (name == "measured" and missing):
            begin, end = f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->"
            head, rest = text.split(begin)
            title = results.items["peers"]["machine"] + "\n\n" if name == "peers" and "peers" in results.items else ""
            text = head + begin + title + path.read_text().strip() + "\n" + end + rest.partition(end)[2]
    page.write_text(text)


def machine(told):
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "unknown processor")
    swift = subprocess.run(["swift", "--version"], capture_output=True, text=True).stdout.splitlines()[:1]
    commit = subprocess.run(["git", "describe", "--always", "--dirty", "--exclude=*"], capture_output=True, text=True,
                            cwd=ROOT).stdout.strip()
    quick = ", a quick run of one round: no measure" if told.quick else f", {told.rounds} rounds"
    return f"{model}, {os.cpu_count()} cores, {''.join(swift)}, commit {commit}{quick}"


def announce(told, items, bench):
    """What it will take."""
    seconds = {name: QUICK.get(name, ITEMS[name][0] / 2) if told.quick else ITEMS[name][0] for name in items}
    missing = sorted({one for name in items for one in ITEMS[name][1] if not (bench.inputs / one).exists()})
    print(f"Measures {', '.join(f'{name} ({seconds[name]:.0f} s)' for name in items)}: some {sum(seconds.values()) / 60:.0f} min on "
          "a quiet machine of two cores.", file=sys.stderr)
    if missing:
        print(f"Makes inputs first ({', '.join(missing)}): a minute or two, {'2.7' if 'long-text' in missing else '1.3'} GB under "
              f"{bench.inputs}.", file=sys.stderr)
    if "peers" in items:
        print("Peers: engines come from PyPI where they are not there (2.5 GB under .build/peers); Spark and Flink need Java 17 or "
              "later and up to 8 GiB of free memory, one at a time.", file=sys.stderr)
    load = os.getloadavg()[0]
    if load > 0.7:
        print(f"There is other work on this machine (load {load:.1f}): figures will suffer.", file=sys.stderr)
    print(f"Results come into {bench.out}/results.md after each item.\n", file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", default=",".join(ITEMS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round, short runs: does all work?")
    parser.add_argument("--systems", default="", help="for peers: which (all)")
    parser.add_argument("--out", type=Path, default=ROOT / ".build/bench")
    parser.add_argument("--check", action="store_true", help="look at the arguments, measure nothing")
    parser.add_argument("--docs", action="store_true", help="put the tables into docs/performance.md")
    parser.add_argument("--program", default=str(ROOT / ".build/release/stream-job"))
    parser.add_argument("--benchmarks", default=str(ROOT / ".build/release/benchmarks"))
    told = parser.parse_args()
    told.out = told.out.resolve()
    if told.quick:
        told.rounds = 1
        told.out = told.out / "quick"
        if told.docs:
            parser.error("--docs takes a whole run: a quick one is no measure")
    if told.rounds < 1:
        parser.error("--rounds takes 1 or more")
    items = list(dict.fromkeys(told.items.split(",")))
    for item, known in [*((item, ITEMS) for item in items), *((name, SYSTEMS) for name in told.systems.split(",") if name)]:
        if item not in known:
            parser.error(f"unknown `{item}`; there are: {', '.join(known)}")
    if told.check:
        return 0
    for program in (told.program, told.benchmarks):
        if not os.access(program, os.X_OK):
            parser.error(f"{program} is not there: scripts/bench.sh builds it")
    # Ended from outside, it ends what it has started, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    bench = Bench(told)
    announce(told, items, bench)
    name = machine(told)
    for item in items:
        try:
            bench.measure(item, name)
        except KeyboardInterrupt:
            print(f"\nitems.py: stopped while measuring {item}; what was measured before is in {told.out}/results.md",
                  file=sys.stderr)
            return 130
    print(bench.results.markdown())
    if told.docs:
        write_docs(told.out, bench.results)
    measured = [figure for item in items for figure in bench.results.items[item]["figures"]]
    return 1 if any(figure["holds"] is False for figure in measured) else 0


if __name__ == "__main__":
    sys.exit(main())
