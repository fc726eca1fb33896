#!/usr/bin/env python3
"""Recomputes what is found in rows, and compares what `stream-job replay` writes.

    findings.py PATH-TO-stream-job [--seed N] [--cases N]

- Impacts: the means before and after each event, from the raw samples (several partitions, disorder, sliding windows,
  null cells, events out of order), sums by math.fsum. Shares no code with the engine.
- Anomalies as Parquet, read by pyarrow and DuckDB, equal their JSON lines cell by cell; so do impacts.
- Events by type and reason in windows (jobs/cluster-events.yaml), counted again.
"""
import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
from collections import defaultdict
from datetime import datetime, timezone
from pathlib import Path

import duckdb
import pyarrow.parquet

ROOT = Path(__file__).resolve().parent.parent.parent
START_MS = 1767225600000


def rfc3339(ms):
    return datetime.fromtimestamp(ms / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03}Z"


def entries(directory):
    """The committed files of an output, by its manifest, in the order written."""
    for document in sorted((directory / "_manifest").glob("[0-9]*.json")):
        yield from json.loads(document.read_text())["entries"]


def read_output(directory):
    rows = []
    for entry in entries(directory):
        rows += map(json.loads, (directory / entry["path"]).read_bytes()[:entry["bytes"]].splitlines())
    return rows


def replay(program, job, inputs, directory):
    path = directory / "job.yaml"
    path.write_text(job if isinstance(job, str) else json.dumps(job))  # JSON is YAML.
    options = [part for name, files in inputs.items() for part in ("--input", f"{name}={files}")]
    run = subprocess.run([program, "replay", path, *options, "--output", directory / "out", "--overwrite", "--workers",
                          "3"], capture_output=True, text=True)
    assert run.returncode == 0, f"exit code {run.returncode}:\n{run.stderr}"
    return directory / "out"


# Impacts


def make_samples(chance, directory, seconds, nodes, partitions, delay_ms):
    """Writes partitions with disorder within the delay; gives every (node, time, value)."""
    samples = []
    for partition in range(partitions):
        lines, own = [], []
        for node in nodes:
            for second in range(0, seconds, chance.choice((5, 7, 15))):
                ms = START_MS + second * 1000 + chance.randrange(1000)
                if chance.random() < 0.1 or 0.3 < second / seconds < 0.4 and node == nodes[0]:
                    continue
                own.append((node, ms, round(chance.gauss(50, 20), 3)))
        own.sort(key=lambda sample: sample[1] + chance.randrange(delay_ms))
        for node, ms, value in own:
            lines.append(f'load{{node="{node}",part="{partition}"}} {value!r} {ms}')
        (directory / f"part-{partition}.prom").write_text("\n".join(lines) + "\n")
        samples += own
    return samples


def make_events(chance, path, seconds, nodes, delay_ms):
    events = []
    for number in range(40):
        ms = START_MS + chance.randrange(-600, seconds + 300) * 1000
        events.append((ms, chance.choice(("Upgrade", "Scaling")), chance.choice(nodes + ["elsewhere"]), number))
    events.sort(key=lambda event: (event[0] + chance.randrange(delay_ms), event[3]))
    path.write_text("".join(json.dumps({
        "timestamp": rfc3339(ms), "type": type_, "reason": "r", "severity": "info", "object": f"o{number}",
        "message": "", "labels": {"node": node}}) + "\n" for ms, type_, node, number in events))
    return events


def expected_impacts(samples, events, size, slide, offset, before, after, only, matched):
    """(event number, node): the two means and their counts, by their definition."""
    cells, windows = defaultdict(list), set()
    for node, ms, value in samples:
        number = (ms - offset) // slide
        while number * slide + offset + size > ms:
            windows.add(number)
            if value > 30:
                cells[node, number].append(value)
            number -= 1
    newest_end = max(windows) * slide + offset + size
    means = {key: math.fsum(values) / len(values) for key, values in cells.items()}
    nodes = sorted({node for node, _, _ in samples})
    expected = []
    for ms, type_, where, number in sorted(events, key=lambda event: event[0]):
        # Settled by the first window that ends at or after its time + `after`.
        if type_ != only or newest_end < ms + after:
            continue
        for node in nodes:
            if matched and node != where:
                continue
            sides = []
            for lower, upper in ((ms - before, ms), (ms, ms + after)):
                inside = [mean for (of, window), mean in means.items() if of == node
                          and window * slide + offset >= lower and window * slide + offset + size <= upper]
                sides.append((math.fsum(inside) / len(inside) if inside else None, len(inside)))
            if sides[0][1] + sides[1][1]:
                expected.append((f"o{number}", node, *sides[0], *sides[1]))
    return expected


def close(a, b):
    return a is b if a is None or b is None else abs(a - b) <= 1e-12 * max(abs(a), abs(b), 1)


def check_impacts(program, seed):
    chance = random.Random(seed)
    size = chance.choice((30_000, 60_000, 70_000))
    slide = size // chance.choice((1, 1, 2)) if size != 70_000 else 30_000
    offset = chance.choice((0, 7_000))
    before, after = (chance.choice((90_000, 300_000, 600_000)) for _ in "ba")
    matched, delay = chance.random() < 0.7, 20_000
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "metrics").mkdir()
        samples = make_samples(chance, directory / "metrics", 3000, ["a", "b", "c"], chance.randint(1, 3), delay)
        events = make_events(chance, directory / "events.jsonl", 3000, ["a", "b", "c"], delay)
        impact = {"name": "around", "column": "busy", "from": "changes", "where": 'type == "Upgrade"',
                  "before": f"{before}ms", "after": f"{after}ms"}
        if matched:
            impact["match"] = ["node"]
        window = {"size": f"{size}ms", "slide": f"{slide}ms", "offset": f"{offset}ms"}
        job = {
            "name": "verify-impacts",
            "sources": {
                "metrics": {"kafka": {"topics": ["metrics"]}, "format": "prometheus", "watermark": {"delay": f"{delay}ms"}},
                "changes": {"kafka": {"topics": ["changes"]}, "format": "event-json", "broadcast": True,
                            "watermark": {"delay": f"{delay}ms"}}},
            "queries": [{
                "name": "load", "from": "metrics", "window": window, "groupBy": ["node"],
                "aggregates": {"n": "count()", "busy": "avg(value) where value > 30"},
                "impacts": [{**impact, "sinks": [{"jsonl": {"path": "impacts"}}, {"parquet": {"path": "parquet"}}]}]}],
        }
        out = replay(program, job, {"metrics": directory / "metrics", "changes": directory / "events.jsonl"}, directory)
        rows = read_output(out / "impacts")
        compare_tables(rows, out / "parquet", ("timestamp",), ("eventLabels", "labels"))
        found = [(row["object"], row["labels"]["node"], row["before"], row["windowsBefore"], row["after"],
                  row["windowsAfter"]) for row in rows]
        # Events of one time come in the order of the file.
        place = {f"o{number}": index for index, (_, _, _, number) in enumerate(events)}
        expected = expected_impacts(samples, events, size, slide, offset, before, after, "Upgrade", matched)
        times = {f"o{number}": ms for ms, _, _, number in events}
        expected.sort(key=lambda row: (times[row[0]], place[row[0]], row[1]))
        assert len(found) == len(expected), f"seed {seed}: {len(found)} rows, expected {len(expected)}"
        for row, wanted in zip(found, expected):
            same = row[:2] == wanted[:2] and row[3] == wanted[3] and row[5] == wanted[5]
            assert same and close(row[2], wanted[2]) and close(row[4], wanted[4]), f"seed {seed}: {row}, not {wanted}"
        for row in rows:
            if row["before"] is not None and row["after"] is not None:
                assert close(row["change"], row["after"] - row["before"])
                assert row["before"] == 0 or close(row["relative"], row["change"] / abs(row["before"]))
            else:
                assert row["change"] is None and row["relative"] is None
        return len(rows)


# Tables


def compare_tables(rows, directory, times, texts):
    """Parquet rows against the same rows as JSON: by pyarrow cell by cell, by DuckDB counted."""
    paths = [str(directory / entry["path"]) for entry in entries(directory)]
    if not rows:
        assert not paths
        return
    table = [row for path in paths for row in pyarrow.parquet.read_table(path).to_pylist()]
    assert len(table) == len(rows), f"{len(table)} rows in Parquet, {len(rows)} as JSON"
    for cells, row in zip(table, rows):
        assert list(cells) == list(row), f"columns {list(cells)}"
        for name, cell in cells.items():
            wanted = row[name]
            if name in times and cell is not None:
                cell = rfc3339(round(cell.timestamp() * 1000))
            if name in texts:
                cell = json.loads(cell)
            wanted = None if wanted == "" else {"NaN": math.nan, "+Inf": math.inf, "-Inf": -math.inf}.get(
                wanted, wanted) if not isinstance(wanted, (dict, list)) else wanted
            assert cell == wanted or cell != cell and wanted != wanted, f"{name}: {cell!r}, not {wanted!r}"
    count, = duckdb.execute("SELECT count(*) FROM read_parquet(?)", [paths]).fetchone()
    assert count == len(rows)
    nodes = duckdb.execute("SELECT labels->>'$.node' FROM read_parquet(?)", [paths]).fetchall()
    assert sorted(node for node, in nodes) == sorted(row["labels"]["node"] for row in rows)


def check_anomalies(program, seed):
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        lines = []
        for minute in range(240):
            for node in ("a", "b"):
                if node == "b" and 100 <= minute < 110:
                    continue
                value = chance.gauss(10, 1) + (30 if 180 <= minute < 190 and node == "a" else 0)
                lines.append(f'v{{node="{node}"}} {value!r} {START_MS + minute * 60_000}')
        (directory / "metrics.prom").write_text("\n".join(lines) + "\n")
        (directory / "events.jsonl").write_text(json.dumps({
            "timestamp": rfc3339(START_MS + 178 * 60_000), "type": "ClusterScaling", "reason": 'Scale"Up',
            "severity": "info", "object": "o", "message": "3 -> 5", "labels": {"node": "a"}}) + "\n")
        anomalies = []
        for detector, emit in (("{type: threshold, above: 20}", "all"), ("{type: absent}", "transitions"),
                               ("{type: auto}", "flags"), ("{type: robust}", "all")):
            number = len(anomalies)
            anomalies.append(f"""
      - name: d{number}
        column: v
        detector: {detector}
        emit: {emit}
        annotations: {{runbook: "https://example.org/?a=1,2"}}
        context: [{{from: changes, match: [node], after: 10m, action: raise}}]
        sinks: [{{jsonl: {{path: json-{number}}}}}, {{parquet: {{path: parquet-{number}, partitionBy: []}}}}]""")
        job = f"""
name: verify-anomalies
sources:
  metrics: {{kafka: {{topics: [metrics]}}, format: prometheus}}
  changes: {{kafka: {{topics: [changes]}}, format: event-json, broadcast: true}}
queries:
  - name: q
    from: metrics
    window: {{size: 1m}}
    groupBy: [node]
    aggregates: {{v: avg(value)}}
    anomalies: {"".join(anomalies)}
"""
        out = replay(program, job, {"metrics": directory / "metrics.prom", "changes": directory / "events.jsonl"},
                     directory)
        total = 0
        for number in range(len(anomalies)):
            rows = read_output(out / f"json-{number}")
            assert rows, f"detector {number} found nothing"
            compare_tables(rows, out / f"parquet-{number}", ("timestamp", "window_start", "window_end", "startedAt"),
                           ("labels", "context", "annotations"))
            total += len(rows)
        return total


def check_events(program):
    source = ROOT / "Tests/EndToEndTests/Fixtures/jobs/cluster-events.events.jsonl"
    expected = defaultdict(lambda: [0, 0, set()])
    seen = set()
    for line in source.read_text().splitlines():
        event = json.loads(line)
        if "metadata" in event or "involvedObject" in event:
            # Kubernetes' own events: type is the kind, a repeated one counts by its count and time.
            time = event.get("lastTimestamp") or event.get("eventTime")
            kind, reason = event["involvedObject"]["kind"], event["reason"]
            name, severity = event["involvedObject"]["name"], event["type"].lower()
            identity = (event.get("metadata", {}).get("uid"), event.get("count"), time)
            if identity[0] and identity in seen:
                continue
            seen.add(identity)
            object_ = f"{kind}/{name}"
        else:
            time, kind, reason, severity = event["timestamp"], event["type"], event["reason"], event.get("severity", "")
            object_ = event.get("object", "")
        ms = time * 1000 if isinstance(time, (int, float)) else datetime.fromisoformat(
            time.replace("Z", "+00:00")).timestamp() * 1000
        cell = expected[rfc3339(int(ms) // 300_000 * 300_000), kind, reason]
        cell[0] += 1
        cell[1] += severity == "warning"
        cell[2].add(object_)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        job = (ROOT / "jobs/cluster-events.yaml").read_text()
        out = replay(program, job, {"events": source}, directory)
        rows = read_output(out / "events-by-type")
    found = {(row["window_start"], row["type"], row["reason"]): (row["events"], row["warnings"]) for row in rows}
    wanted = {key: (count, warnings) for key, (count, warnings, _) in expected.items()}
    assert found == wanted, f"{set(found.items()) ^ set(wanted.items())}"
    return len(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=30)
    arguments = parser.parse_args()
    seeds = range(arguments.seed, arguments.seed + arguments.cases)
    rows = sum(check_impacts(arguments.program, seed) for seed in seeds)
    print(f"impacts: {arguments.cases} jobs, {rows} rows equal the means recomputed from the samples")
    print(f"anomalies: {check_anomalies(arguments.program, arguments.seed)} rows in Parquet equal their JSON lines")
    print(f"events: {check_events(arguments.program)} counts by type and reason equal")


if __name__ == "__main__":
    sys.exit(main())
