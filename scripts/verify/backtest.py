#!/usr/bin/env python3
"""Recomputes a backtest's report from the anomaly rows and the labels, in plain Python that shares no code with the engine.

    backtest.py PATH-TO-stream-job [--seeds N]

Data: random values of a few keys with labelled incidents (some without effect, some that overlap, some outside the data),
and detectors with random bounds, `for` and `keepFiringFor`. Every figure of report.json must be equal, and so must the
ranking of `backtest` over a grid; `diff` must name the flags that differ.
"""
import argparse
import csv
import io
import json
import math
import random
import re
import statistics
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def stamp(seconds):
    return (START + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(text):
    return (datetime.fromisoformat(text.replace("Z", "+00:00")) - START).total_seconds()


def make_data(rng, directory, minutes):
    """Samples every 20 s of some nodes, and incidents of which most raise a node's value."""
    nodes = [f"n{i}" for i in range(rng.randint(2, 5))]
    incidents = []
    for _ in range(rng.randint(2, 7)):
        start = rng.randint(-600, minutes * 60 + 600)
        node = rng.choice(nodes + ["gone"])
        selector = rng.choice([f'{{node="{node}"}}', f'{{node=~"{node}|zz"}}', "", f'm{{node="{node}",other="x"}}'])
        incidents.append((start, start + rng.randint(60, 1500), rng.choice(["slow", "leak"]), selector))
    lines = []
    for second in range(0, minutes * 60, 20):
        for node in nodes:
            hot = any(a <= second < b and (not s or node in s) for a, b, _, s in incidents) and rng.random() < 0.8
            value = rng.gauss(0.9 if hot else 0.4, 0.12)
            lines.append(f'm{{node="{node}"}} {value!r} {int(START.timestamp() * 1000) + second * 1000}\n')
    (directory / "data").mkdir()
    (directory / "data/0.prom").write_text("".join(lines))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["start", "end", "kind", "selector"])
    for a, b, kind, selector in incidents:
        writer.writerow([stamp(a), stamp(b), kind, selector])
    (directory / "labels.csv").write_text(out.getvalue())


def make_job(detectors):
    anomalies = []
    for name, above, for_, keep in detectors:
        base = {"column": "v", "detector": {"type": "threshold", "above": above}, "for": for_, "keepFiringFor": keep}
        anomalies += [dict(base, name=name, sinks=[{"jsonl": {"path": f"{name}-alerts"}}]),
                      # The same detector, telling every window.
                      dict(base, name=f"{name}-all", emit="all", sinks=[{"jsonl": {"path": f"{name}-rows"}}])]
    return {"name": "verify-backtest",
            "sources": {"metrics": {"kafka": {"topics": ["m"]}, "format": "prometheus", "watermark": {"delay": "0s"}}},
            "queries": [{"name": "q", "window": {"size": "1m"}, "groupBy": ["node"],
                         "aggregates": {"v": "avg(value)"}, "sinks": [{"jsonl": {"path": "rows"}}],
                         "anomalies": anomalies}]}


def committed(directory):
    rows = []
    for document in sorted((directory / "_manifest").glob("[0-9]*.json")):
        for entry in json.loads(document.read_text())["entries"]:
            rows += [json.loads(x) for x in (directory / entry["path"]).read_bytes()[:entry["bytes"]].splitlines()]
    return rows


def concerns(selector, labels):
    for name, op, value in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', selector):
        if name not in labels:
            continue
        hit = re.fullmatch(value, labels[name]) is not None if "~" in op else value == labels[name]
        if hit == op.startswith("!"):
            return False
    return True


def ratio(a, b):
    return None if b == 0 else a / b


def score(alerts, windows, incidents):
    """alerts: (labels, window start, fired, resolved or None); windows: (labels, start, end, flagged)."""
    outcomes = []
    fires_in = [[i for i, (a, b, s) in enumerate(incidents) if ws < b and fired > a and concerns(s, labels)]
                for labels, ws, fired, _ in alerts]
    for i, (a, b, s) in enumerate(incidents):
        fired = [alert[2] for alert, inside in zip(alerts, fires_in) if i in inside]
        if fired:
            outcomes.append(("detected", max(0, min(fired) - a), len(fired)))
        elif not any(ws < b and we > a and concerns(s, labels) for labels, ws, we, _ in windows):
            outcomes.append(("notCovered", None, 0))
        elif any(f <= a and (r is None or r > a) and concerns(s, labels) for labels, _, f, r in alerts):
            outcomes.append(("alreadyFiring", None, 0))
        else:
            outcomes.append(("missed", None, 0))
    counts = {"tp": 0, "fp": 0, "fn": 0, "tn": 0}
    for labels, ws, we, flagged in windows:
        truth = any(ws < b and we > a and concerns(s, labels) for a, b, s in incidents)
        counts[("t" if flagged == truth else "f") + ("p" if flagged else "n")] += 1
    of = [o for o, _, _ in outcomes]
    false = sum(1 for inside in fires_in if not inside)
    covered = len(of) - of.count("notCovered")
    precision, recall = ratio(len(alerts) - false, len(alerts)), ratio(of.count("detected"), covered)
    if not alerts and not covered:
        f1 = None
    else:
        p, r = precision or 0, recall or 0
        f1 = 2 * p * r / (p + r) if p + r else 0
    observed = max(w[2] for w in windows) - min(w[1] for w in windows)
    delays = [d for _, d, _ in outcomes if d is not None]
    detected = [n for o, _, n in outcomes if o == "detected"]
    return {"detected": of.count("detected"), "missed": of.count("missed"), "alreadyFiring": of.count("alreadyFiring"),
            "notCovered": of.count("notCovered"), "alerts": len(alerts), "falseAlarms": false,
            "falseAlarmsPerDay": false / (observed / 86400), "precision": precision, "recall": recall, "f1": f1,
            "meanDelaySeconds": sum(delays) / len(delays) if delays else None,
            "medianDelaySeconds": statistics.median(delays) if delays else None,
            "alertsPerIncident": ratio(sum(detected), len(detected)), "observedSeconds": observed,
            "windows": {"truePositives": counts["tp"], "falsePositives": counts["fp"], "falseNegatives": counts["fn"],
                        "trueNegatives": counts["tn"], "precision": ratio(counts["tp"], counts["tp"] + counts["fp"]),
                        "recall": ratio(counts["tp"], counts["tp"] + counts["fn"]),
                        "f1": ratio(2 * counts["tp"], 2 * counts["tp"] + counts["fp"] + counts["fn"])},
            "incidents": [{"outcome": o, "delaySeconds": d, "alerts": n} for o, d, n in outcomes]}


def same(a, b, path="report"):
    if isinstance(b, dict):
        for key in b:
            same(a[key], b[key], f"{path}.{key}")
    elif isinstance(b, list):
        assert len(a) == len(b), path
        for i, (x, y) in enumerate(zip(a, b)):
            same(x, y, f"{path}[{i}]")
    elif isinstance(b, float):
        assert a is not None and math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-12), f"{path}: {a}, recomputed {b}"
    else:
        assert a == b, f"{path}: {a}, recomputed {b}"


def alerts_of(rows):
    alerts = []
    for row in rows:
        if row["state"] == "firing":
            alerts.append([row["labels"], parse(row["window_start"]), parse(row["window_end"]), None, row["incidentId"]])
        elif row["state"] == "resolved":
            next(a for a in alerts if a[4] == row["incidentId"] and a[3] is None)[3] = parse(row["timestamp"])
    return [tuple(a[:4]) for a in alerts]


def run(program, *arguments):
    result = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    assert result.returncode == 0, f"{arguments}: exit code {result.returncode}\n{result.stderr}"
    return result.stdout


def read_labels(path):
    incidents = [(parse(r["start"]), parse(r["end"]), r["selector"]) for r in csv.DictReader(path.open(newline=""))]
    return sorted(incidents, key=lambda i: i[:2])


def check(program, seed, directory):
    rng = random.Random(seed)
    make_data(rng, directory, 120)
    detectors = [(f"d{i}", round(rng.uniform(0.5, 0.9), 2), rng.choice(["0s", "2m"]), rng.choice(["0s", "3m"]))
                 for i in range(2)]
    job = directory / "job.yaml"
    job.write_text(json.dumps(make_job(detectors)))
    common = ["--input", f"metrics={directory}/data", "--labels", directory / "labels.csv"]
    run(program, "replay", job, *common, "--output", directory / "out", "--report", directory / "report")
    incidents = read_labels(directory / "labels.csv")
    report = json.loads((directory / "report/report.json").read_text())
    for name, *_ in detectors:
        windows = [(row["labels"], parse(row["window_start"]), parse(row["window_end"]), row["state"] == "flagged")
                   for row in committed(directory / f"out/{name}-rows")]
        alerts = alerts_of(committed(directory / f"out/{name}-alerts"))
        expected = score(alerts, windows, incidents)
        for reported in report["detectors"]:
            # Both tellings of a detector are scored alike.
            if reported["detector"] in (name, f"{name}-all"):
                same(reported, expected, f"seed {seed} {reported['detector']}")
    page = (directory / "report/report.html").read_text()
    assert "http" not in page.replace("http://www.w3.org/2000/svg", ""), "the page refers to the network"

    # A grid: each variant as if it ran alone.
    bounds = [0.5, 0.6, 0.7, 0.8]
    single = make_job(detectors[:1])
    job.write_text(json.dumps(single))
    grid = json.loads(run(program, "backtest", job, *common, "--json", "--set",
                          "queries.q.anomalies.d0.detector.above=" + ",".join(map(str, bounds)), "--set",
                          "queries.q.anomalies.d0-all.detector.above=0.99"))["variants"]
    assert [v["rank"] for v in grid] == [1, 2, 3, 4]
    order = []
    for variant in grid:
        above = float(re.search(r"above=([0-9.]+)", variant["variant"]).group(1))
        alone = directory / f"alone-{above}"
        run(program, "replay", job, *common, "--output", alone / "out", "--report", alone / "report", "--set",
            f"queries.q.anomalies.d0.detector.above={above}", "--set", "queries.q.anomalies.d0-all.detector.above=0.99")
        own = json.loads((alone / "report/report.json").read_text())
        same(variant["all"], own["all"], f"seed {seed} above {above}")
        infinity = math.inf
        f1 = own["all"]["f1"]
        delay = own["all"]["meanDelaySeconds"]
        order.append((-(1 if f1 is None else f1), own["all"]["falseAlarmsPerDay"], infinity if delay is None else delay))
    assert order == sorted(order), order

    # diff: the flags of one and not of the other.
    sets = []
    for above in (0.5, 0.8):
        rows = committed(directory / f"alone-{above}/out/d0-alerts") + committed(directory / f"alone-{above}/out/d0-rows")
        sets.append({(r["detector"], json.dumps(r["labels"]), r["timestamp"], r["state"]) for r in rows
                     if r["state"] in ("firing", "flagged")})
    told = json.loads(run(program, "diff", directory / "alone-0.5/out", directory / "alone-0.8/out", "--json"))
    def keys(rows):
        return {(r["detector"], json.dumps(r["labels"]), r["timestamp"], r["state"]) for r in rows}
    assert keys(told["vanish"]) == sets[0] - sets[1] and keys(told["appear"]) == sets[1] - sets[0]
    assert told["same"] == len(sets[0] & sets[1])
    return sum(len(d["firings"]) for d in report["detectors"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--seeds", type=int, default=8)
    options = parser.parse_args()
    alerts = 0
    for seed in range(options.seeds):
        with tempfile.TemporaryDirectory() as name:
            alerts += check(str(Path(options.program).resolve()), seed, Path(name))
    assert alerts > 20, "nothing was tested"
    print(f"backtest: {options.seeds} reports, grids and diffs, {alerts} alerts: every figure recomputed")


main()
