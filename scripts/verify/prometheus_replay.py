#!/usr/bin/env python3
"""Compares `stream-job replay` with a real Prometheus over the same samples: every per-series function, histogram
quantiles, and the example jobs of docs/cookbook.md.

    prometheus_replay.py --stream-job .build/debug/stream-job --output DIR [--seed 1] [--minutes 60] [--recorded FILE]

The samples go through one partition, through twelve at random, and through one shuffled within the watermark's delay: all
three must give the same rows, byte for byte, and every value must be Prometheus's to 1e-12 relative. With --recorded the counters
of a recording (text with timestamps, of at most two hours) are compared too.
"""
import argparse
import glob
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime, timezone

import prometheus_answers as prometheus
import prometheus_samples as samples

TOLERANCE = 1e-12
SHUFFLE_MS = 40_000  # within the delay of 60 s

FUNCTIONS = [(f, p) for f, parameters in prometheus.FUNCTIONS.items() for p in parameters]
WINDOWS = [("five", 300_000, 30_000), ("tumbling", 90_500, 90_500), ("odd", 70_000, 20_000)]
HISTOGRAMS = [(q, by) for q in prometheus.QUANTILES for by in (["hist"], ["hist", "instance"])]

EXAMPLES = {
    "node-cpu-saturation": (300, 30, ["instance"], None, {
        "cpus": 'count by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m]))',
        "idle": 'avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m]))',
        "busy": '1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m]))'}),
    "http-error-ratio": (300, 30, ["job"], "sum by (job) (rate(http_requests_total[5m])) > 0", {
        "all": "sum by (job) (rate(http_requests_total[5m]))",
        "bad": 'sum by (job) (rate(http_requests_total{code=~"5.."}[5m]))',
        "ratio": '(sum by (job) (rate(http_requests_total{code=~"5.."}[5m])) or '
                 "0 * sum by (job) (rate(http_requests_total[5m]))) / sum by (job) (rate(http_requests_total[5m]))"}),
    "http-latency-p99": (
        300, 30, ["job"], 'sum by (job) (rate(http_request_duration_seconds_bucket{le="+Inf"}[5m])) > 0', {
            "p50": "histogram_quantile(0.5, sum by (job, le) (rate(http_request_duration_seconds_bucket[5m])))",
            "p99": "histogram_quantile(0.99, sum by (job, le) (rate(http_request_duration_seconds_bucket[5m])))",
            "requests": 'sum by (job) (rate(http_request_duration_seconds_bucket{le="+Inf"}[5m]))'}),
    "deployment-memory": (60, 60, ["namespace", "deployment"], None, {
        "bytes": 'sum by (namespace, deployment) (label_replace(last_over_time('
                 'container_memory_working_set_bytes{container!="",pod!="database-0"}[1m]),'
                 '"deployment", "$1", "pod", "^(.+)-[a-z0-9]+-[a-z0-9]{5}$"))'}),
    "disk-fill-rate": (3600, 60, ["instance", "mountpoint"], None, {
        "available": 'min by (instance, mountpoint) '
                     '(last_over_time(node_filesystem_avail_bytes{fstype!~"tmpfs|ramfs"}[1h]))',
        "growth": 'min by (instance, mountpoint) (deriv(node_filesystem_avail_bytes{fstype!~"tmpfs|ramfs"}[1h]))',
        "in_4h": 'min by (instance, mountpoint) '
                 '(predict_linear(node_filesystem_avail_bytes{fstype!~"tmpfs|ramfs"}[1h], 14400))'}),
    "spark-tasks": (60, 10, ["application_name"], None, {
        "completed": "sum by (application_name) (rate(metrics_executor_completedTasks_total[1m]))",
        "failed": "sum by (application_name) (rate(metrics_executor_failedTasks_total[1m]))"}),
    "spark-gc-share": (300, 30, ["executor_id"],
                       "sum by (executor_id) (rate(metrics_executor_totalDuration_seconds_total[5m])) > 0", {
        "collecting": "sum by (executor_id) (rate(metrics_executor_totalGCTime_seconds_total[5m]))",
        "running": "sum by (executor_id) (rate(metrics_executor_totalDuration_seconds_total[5m]))",
        "share": "sum by (executor_id) (rate(metrics_executor_totalGCTime_seconds_total[5m])) / "
                 "sum by (executor_id) (rate(metrics_executor_totalDuration_seconds_total[5m]))"}),
}


class Query:
    """One query of a job: its window, its keys, and the PromQL each column equals."""

    def __init__(self, name, size, slide, keys, columns, present=None, path=None, offset=0, metrics=None):
        self.name, self.size, self.slide, self.keys, self.offset = name, size, slide, keys, offset
        self.columns, self.present, self.path = columns, present, path or f"rows/{name}"
        self.metrics = metrics  # names that replace METRIC in the PromQL, and are a key of their own

    def ends(self, start, end):
        """(first window end after start, number of windows up to the last that holds a sample)."""
        first = (start - self.size - self.offset) // self.slide * self.slide + self.size + self.offset
        while first <= start:
            first += self.slide
        return first, (end + self.size - first) // self.slide + 1


def function_job():
    """(YAML, queries): every function over every window."""
    queries, lines = [], [
        "name: every-function", "sources:", "  metrics:", "    kafka: {topics: [metrics]}", "    format: prometheus",
        "queries:"]

    def add(name, select, size, slide, keys, aggregates):
        """aggregates: [(column, expression, PromQL)]."""
        lines.extend([
            f"  - name: {name}", f"    select: '{select}'", f"    window: {{size: {size}ms, slide: {slide}ms}}",
            f"    groupBy: [{', '.join(keys)}]", "    aggregates:"])
        lines.extend(f"      {column}: '{expression}'" for column, expression, _ in aggregates)
        lines.extend(["    sinks:", f"      - jsonl: {{path: rows/{name}}}"])
        queries.append(Query(name, size, slide, keys, {column: promql for column, _, promql in aggregates}))

    for name, size, slide in WINDOWS:
        selector = f'{{job="{samples.JOB}",series!=""}}'
        aggregates = []
        for i, (function, p) in enumerate(FUNCTIONS):
            inner = ["value"] if p is None else ["value", str(p)] if function == "predict_linear" else [str(p), "value"]
            outer = [w.replace("value", f"{selector}[{size}ms]") for w in inner]
            aggregates.append((f"c{i}_{function}", f"max({function}({', '.join(inner)}))",
                               f"{function}({', '.join(outer)})"))
        add(f"functions-{name}", f"{selector}", size, slide, ["series"], aggregates)
        selector = f'{{job="{samples.JOB}",hist!=""}}'
        for keys in (["hist"], ["hist", "instance"]):
            aggregates = []
            for i, q in enumerate(prometheus.QUANTILES):
                by = ", ".join(keys + ["le"])
                aggregates.append((f"q{i}", f"histogram_quantile({q}, rate(value))",
                                   f"histogram_quantile({q}, sum by ({by}) (rate({selector}[{size}ms])))"))
            for outer in ("sum", "avg", "min", "max", "count"):
                aggregates.append((f"{outer}_increase", f"{outer}(increase(value))",
                                   f"{outer} by ({', '.join(keys)}) (increase({selector}[{size}ms]))"))
            add(f"{'-'.join(keys)}-{name}", selector, size, slide, keys, aggregates)
    return "\n".join(lines) + "\n", queries


def recorded_job(path, series):
    """Writes a job over the counters of a recording; its query. Scrapes may lie on whole seconds, so windows do not."""
    names = sorted({s.name for s in series})
    keys = sorted({label for s in series for label in s.labels})
    functions = ["rate", "increase", "irate", "resets", "deriv", "avg_over_time", "stddev_over_time"]
    with open(path, "w") as f:
        f.write("\n".join([
            "name: recorded", "sources:", "  metrics:", "    kafka: {topics: [metrics]}", "    format: prometheus",
            "queries:", "  - name: recorded", "    window: {size: 5m, slide: 30s, offset: 500ms}",
            f"    groupBy: [{', '.join(['name'] + keys)}]", "    aggregates:",
            *[f"      {name}: max({name}(value))" for name in functions],
            "    sinks:", "      - jsonl: {path: rows/recorded}", ""]))
    return Query("recorded", 300_000, 30_000, ["name"] + keys, {f: f"{f}(METRIC[5m])" for f in functions},
                 offset=500, metrics=names)


def partitions(rng, rows, folder):
    """The three ways the samples may arrive: {name: folder}."""
    ways = {"one": [rows]}
    twelve = [[] for _ in range(12)]
    for row in rows:
        rng.choice(twelve).append(row)
    ways["twelve"] = twelve
    keyed = sorted(rows, key=lambda row: row[0] + rng.randrange(SHUFFLE_MS))
    ways["shuffled"] = [keyed]
    out = {}
    for name, parts in ways.items():
        out[name] = f"{folder}/input-{name}"
        os.makedirs(out[name])
        for i, part in enumerate(parts):
            with open(f"{out[name]}/part-{i:02}.prom", "w") as f:
                f.write(samples.prometheus_text(part))
    return out


def replay(binary, job, source, output):
    run = subprocess.run([binary, "replay", job, "--input", f"metrics={source}", "--output", output, "--overwrite",
                          "--summary", "json"], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"replay of {job} ended with {run.returncode}:\n{run.stdout[-2000:]}{run.stderr[-4000:]}")
    summary = json.loads(run.stdout.strip().splitlines()[-1])
    if summary["late"] or summary["badRecords"]:
        sys.exit(f"replay of {job} from {source}: {summary['late']} late, {summary['badRecords']} bad")
    return summary


def rows_text(output, path):
    """The rows of a JSONL sink, as text."""
    files = sorted(f for f in glob.glob(f"{output}/{path}/**/*.jsonl", recursive=True) if "_manifest" not in f)
    return "".join(open(f).read() for f in files)


def value_of(cell):
    return None if cell is None else float(cell)


def close(a, b):
    if a is None or b is None:
        return a is b
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or abs(a - b) <= TOLERANCE * max(abs(a), abs(b))


def milliseconds(text):
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).replace(tzinfo=timezone.utc).timestamp() * 1000)


class Comparison:
    def __init__(self):
        self.compared = self.differences = 0
        self.shown = []

    def differ(self, text):
        self.differences += 1
        if len(self.shown) < 40:
            self.shown.append(text)


def compare(server, query, text, start, end, result):
    """Every column of every window and key, both ways: a value on one side only is a difference."""
    first, count = query.ends(start, end)
    mine = {}
    for line in text.splitlines():
        row = json.loads(line)
        index, odd = divmod(milliseconds(row["window_end"]) - first, query.slide)
        key = tuple(row[k] or "" for k in query.keys)
        if odd or not 0 <= index < count or (index, key) in mine:
            result.differ(f"{query.name}: a row that should not be: {line}")
            continue
        mine[index, key] = row

    def ask(promql):
        answers = {}
        for metric in query.metrics or [""]:
            answers |= prometheus.ask(
                server, promql.replace("METRIC", metric), first, query.slide, count,
                lambda labels: tuple(metric if k == "name" else labels.get(k, "") for k in query.keys))
        return answers

    present = ask(query.present) if query.present else None
    for column, promql in query.columns.items():
        theirs = ask(promql)
        for key in set(theirs) | {key for _, key in mine}:
            for index in range(count):
                their = theirs.get(key, [None] * count)[index]
                row = mine.get((index, key))
                if present is not None and present.get(key, [None] * count)[index] is None:
                    if row is not None:
                        result.differ(f"{query.name} {key} window {index}: a row where `having` is not met")
                    continue
                my = value_of(row[column]) if row is not None else None
                if my == 0 and promql.startswith("count"):
                    my = None  # our count of nothing is 0, PromQL's is no row
                their = None if their is None else float(their)
                if my is None and their is None:
                    continue
                result.compared += 1
                if not close(my, their):
                    end_ms = first + index * query.slide
                    result.differ(f"{query.name}.{column} {'/'.join(key)} window end {end_ms}: {my}, Prometheus {their}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stream-job", required=True, help="the binary")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--minutes", type=int, default=60, help="15 to 115")
    parser.add_argument("--output", required=True, help="an empty or missing folder; jobs, inputs and rows stay there")
    parser.add_argument("--recorded")
    parser.add_argument("--examples", default=os.path.join(os.path.dirname(__file__), "../../jobs"))
    options = parser.parse_args()
    shutil.rmtree(options.output, ignore_errors=True)
    os.makedirs(options.output)

    start = prometheus.START_MS
    end = start + options.minutes * 60_000
    every = samples.plain(samples.rng_of(options.seed, "plain"), start, end)
    examples = list(samples.cookbook(samples.rng_of(options.seed, "cookbook"), start, end))
    recorded = [s for s in samples.recorded(options.recorded) if s.name.endswith("_total")] if options.recorded else []
    with open(f"{options.output}/all.om", "w") as f:
        f.write(samples.openmetrics(every + examples + recorded))

    yaml, function_queries = function_job()
    with open(f"{options.output}/every-function.yaml", "w") as f:
        f.write(yaml)
    jobs = [(f"{options.output}/every-function.yaml", function_queries, every)]
    for name, (size, slide, keys, present, columns) in EXAMPLES.items():
        with open(f"{options.examples}/{name}.yaml") as f:
            text = f.read()
        words = text.split("jsonl: {path: ")[1].split("}")[0]
        query = Query(name, size * 1000, slide * 1000, keys, columns, present, words)
        jobs.append((f"{options.examples}/{name}.yaml", [query], examples))

    spans = {path: (start, end) for path, _, _ in jobs}
    if recorded:
        path = f"{options.output}/recorded.yaml"
        jobs.append((path, [recorded_job(path, recorded)], recorded))
        stamps = [t for s in recorded for t, _ in s.samples]
        spans[path] = min(stamps) - 1, max(stamps)

    result = Comparison()
    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run(
            ["promtool", "tsdb", "create-blocks-from", "openmetrics", f"{options.output}/all.om", f"{folder}/data"],
            capture_output=True, text=True)
        if made.returncode != 0:
            sys.exit(f"promtool: {made.stdout}{made.stderr}")
        server = prometheus.Server(folder)
        try:
            for path, queries, series in jobs:
                name = os.path.basename(path)[:-5]
                inputs = partitions(samples.rng_of(options.seed, name), samples.by_time(series),
                                    f"{options.output}/{name}")
                texts = {}
                for way, source in inputs.items():
                    output = f"{options.output}/{name}/rows-{way}"
                    replay(options.stream_job, path, source, output)
                    texts[way] = {query.name: rows_text(output, query.path) for query in queries}
                before = result.compared, result.differences
                for query in queries:
                    compare(server, query, texts["one"][query.name], *spans[path], result)
                    for way in ("twelve", "shuffled"):
                        if texts[way][query.name] != texts["one"][query.name]:
                            result.differ(f"{query.name}: rows of `{way}` are not, byte for byte, those of one partition")
                print(f"{name}: {result.compared - before[0]} values, {result.differences - before[1]} differences")
        finally:
            server.stop()
    for text in result.shown:
        print("  " + text)
    print(f"{result.compared} values compared with Prometheus, {result.differences} differences")
    if result.differences or result.compared < 10_000:
        sys.exit(1)


if __name__ == "__main__":
    main()
