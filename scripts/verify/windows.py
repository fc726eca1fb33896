#!/usr/bin/env python3
"""Recomputes windows in plain Python and SQL, and compares what `stream-job replay` writes.

    windows.py PATH-TO-stream-job [--seed N] [--cases N] [--scrapes N]

- Generated data (several partitions with disorder, late samples, counter resets, NaN, infinities, escaped labels, values
  near 1e9 with deviations near 1e-3): lateness for each record and window, sums by rational arithmetic. Shares no code
  with the engine.
- Scrapes: hundreds of hosts in step, one sample a pane mostly, that come and go; silence, samples twice and late. The same
  rows to the byte beside `first` and `last` (which need every row's time), and with one thread and four.
- The recording of a node (Tests/EndToEndTests/Fixtures): tumbling windows by DuckDB, where it is installed.

Counts, minima and maxima must be equal, sums and averages within 1e-12 of the sum of magnitudes, deviations within 1e-9.
"""
import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
START_MS = 1767225600000


def parse_number(value):
    return {"NaN": math.nan, "+Inf": math.inf, "-Inf": -math.inf}.get(value, value)


def read_output(directory):
    """The committed rows of a JSONL output, by its manifest."""
    rows = []
    for document in sorted((directory / "_manifest").glob("[0-9]*.json")):
        for entry in json.loads(document.read_text())["entries"]:
            committed = (directory / entry["path"]).read_bytes()[:entry["bytes"]]
            rows += [json.loads(line) for line in committed.splitlines()]
    return rows


def replay(program, job, inputs, directory, *options):
    """Runs the job; returns its rows and its summary."""
    path = directory / "job.yaml"
    path.write_text(json.dumps(job))  # JSON is YAML.
    run = subprocess.run([program, "replay", path, "--input", f"metrics={inputs}", "--output", directory / "out",
                          "--overwrite", "--summary", "json", *options], capture_output=True, text=True)
    assert run.returncode == 0, f"exit code {run.returncode}:\n{run.stderr}"
    return read_output(directory / "out" / "rows"), json.loads(run.stdout.splitlines()[-1])


AGGREGATES = {"n": "count()", "s": "sum(value)", "a": "avg(value)", "lo": "min(value)", "hi": "max(value)",
              "sd": "stddev(value)", "sdp": "stddev_pop(value)", "var": "variance(value)"}


def make_job(window, delay_ms, lateness_ms, keys, ttl_ms=86400000):
    def query(name, aggregates):
        return {"name": name, "window": {k: f"{v}ms" for k, v in window.items()}, "groupBy": keys,
                "aggregates": aggregates, "allowedLateness": f"{lateness_ms}ms",
                "sinks": [{"jsonl": {"path": "rows" if name == "q" else name}}]}
    return {
        "name": "verify-windows",
        "sources": {"metrics": {"kafka": {"topics": ["metrics"]}, "format": "prometheus",
                                "watermark": {"delay": f"{delay_ms}ms"}}},
        "limits": {"keyTTL": f"{ttl_ms}ms"},
        "queries": [query("q", AGGREGATES),
                    query("timed", AGGREGATES | {"first": "first(value)", "last": "last(value)"})]}


def escape(text):
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def generate(chance):
    """Samples of each partition, in record order: (labels, value, timestampMs)."""
    hosts = ['plain', 'quo"te', 'back\\slash', 'new\nline', 'umlaut-ü', '日本', '']
    kinds = ["gauge", "counter", "offset", "special"]
    partitions = []
    for _ in range(chance.randint(1, 4)):
        counters = defaultdict(float)
        samples, clock = [], START_MS + chance.randrange(5000)
        for _ in range(chance.randint(0, 600)):
            clock += chance.randrange(2000)
            lag = chance.choice([0, 0, 0, chance.randrange(5000), chance.randrange(90000)])
            host, kind = chance.choice(hosts), chance.choice(kinds)
            if kind == "gauge":
                value = chance.uniform(-100, 100)
            elif kind == "counter":
                counters[host] = 0.0 if chance.random() < 0.05 else counters[host] + chance.randrange(1000)
                value = counters[host]
            elif kind == "offset":
                value = 1e9 + chance.gauss(0, 1e-3)
            else:
                value = chance.choice([math.nan, math.inf, -math.inf, 1.0, -1e300, 5e-324, 2.5, -3.0, 0.1])
                if value == -1e300 and chance.random() < 0.9:
                    value = 0.5
            samples.append(({"host": host, "kind": kind}, value, clock - lag))
        partitions.append(samples)
    return partitions


def odd_value(chance, one_in):
    if one_in and chance.randrange(one_in) == 0:
        return chance.choice([math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, -5e-324, 1e-310, 2.2250738585072014e-308,
                              1e16, -1e16, 1e150, -1e150])
    return chance.choice([lambda: 1e9 + chance.gauss(0, 1e-3), lambda: float(chance.randrange(100)),
                          lambda: chance.uniform(-1e6, 1e6)])()


def generate_scrapes(chance, step, size):
    """Samples of each partition, in record order, of hosts that are scraped in step."""
    count, one_in = chance.choice([3, 70, 200]), chance.choice([0, 300, 40, 4])
    shared, disorder = chance.random() < 0.5, chance.random() < 0.4
    partitions = []
    for partition in range(chance.randint(1, 3)):
        live, born = list(range(count)), count
        samples, clock = [], START_MS + chance.randrange(5) * step
        for _ in range(max(8, min(80, 6000 // count))):
            clock += step
            dice = chance.randrange(20)
            if dice == 0:
                clock += step * chance.randrange(5) + chance.choice([0, 0, 2 * size])
            elif dice < 3:
                for _ in range(chance.randint(1, count)):
                    live[chance.randrange(count)] = born
                    born += 1
            missing = chance.choice([0, 0, 0, 0.1, 0.5])
            for host in live:
                if chance.random() < missing:
                    continue
                at = clock
                if disorder and chance.random() < 0.03:
                    at -= chance.randrange(2 * size)
                name = f"h{host}" if shared else f"p{partition}h{host}"
                for _ in range(2 if chance.random() < 0.002 else 1):
                    samples.append(({"host": name, "kind": "scrape"}, odd_value(chance, one_in), at))
        partitions.append(samples)
    return partitions


def render(samples):
    text = []
    for labels, value, at in samples:
        number = "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf") if math.isinf(value) else repr(value)
        pairs = ",".join(f'{name}="{escape(label)}"' for name, label in labels.items())
        text.append(f"m{{{pairs}}} {number} {at}\n")
    return "".join(text)


def expect(partitions, window, delay_ms, lateness_ms, keys):
    """Values of each (end, start, key), and the ledger, record by record as SEMANTICS has it."""
    size, slide, offset = window["size"], window.get("slide", window["size"]), window.get("offset", 0)
    values = defaultdict(list)
    ledger = {"aggregated": 0, "late": 0, "partlyLate": 0}
    for samples in partitions:
        watermark = -math.inf
        for labels, value, at in samples:
            start = (at - offset) // slide * slide + offset
            taken = missed = 0
            while start + size > at:
                if watermark >= start + size + lateness_ms:
                    missed += 1
                else:
                    taken += 1
                    key = tuple(labels[name] or None for name in keys)
                    values[start + size, start, key].append(value)
                start -= slide
            ledger["aggregated" if taken else "late"] += 1
            ledger["partlyLate"] += bool(taken and missed)
            watermark = max(watermark, at - delay_ms)
    return values, ledger


def check_close(found, exact, bound, what):
    found = parse_number(found)
    if math.isnan(exact) or math.isinf(exact):
        assert found == exact or (math.isnan(exact) and math.isnan(found)), f"{what}: {found}, expected {exact}"
    else:
        assert abs(found - exact) <= bound, f"{what}: {found!r}, expected {exact!r}, off by more than {bound}"


def float_sum(values):
    """The sum where something is not finite, else None."""
    if any(math.isnan(v) for v in values) or {math.inf, -math.inf} <= set(values):
        return math.nan
    return next((v for v in values if math.isinf(v)), None)


def root(fraction):
    """The square root of a rational as a double, exact to the last bits."""
    scale = 1 << 600
    return float(Fraction(math.isqrt(int(fraction * scale * scale)), scale))


def check_row(row, values):
    where = f"{row['window_end']} {row}"
    assert row["n"] == len(values), f"{where}: n is {row['n']}, expected {len(values)}"
    numbers = [v for v in values if not math.isnan(v)]
    for name, pick in (("lo", min), ("hi", max)):
        check_close(row[name], pick(numbers) if numbers else math.nan, 0, f"{where}: {name}")
    special = float_sum(values)
    if special is not None:
        for name, exact in (("s", special), ("a", special), ("sdp", math.nan)):
            check_close(row[name], exact, 0, f"{where}: {name}")
        for name in ("sd", "var"):
            if len(values) > 1:
                check_close(row[name], math.nan, 0, f"{where}: {name}")
        return
    exact = [Fraction(v) for v in values]
    total, magnitude = sum(exact), float(sum(abs(v) for v in exact))
    check_close(row["s"], float(total), 1e-12 * magnitude, f"{where}: s")
    check_close(row["a"], float(total / len(exact)), 1e-12 * magnitude / len(exact), f"{where}: a")
    mean = total / len(exact)
    squares = sum((v - mean)**2 for v in exact)
    largest = max(abs(v) for v in values)
    for name, divisor, is_root in (("sdp", len(exact), True), ("sd", len(exact) - 1, True), ("var", len(exact) - 1, False)):
        if divisor == 0:
            assert row[name] is None, f"{where}: {name} of one value is {row[name]}, expected null"
            continue
        # Squares of 1e300 leave the doubles; what the engine says there is not promised.
        if largest > 1e150:
            continue
        deviation = root(squares / divisor)
        want = deviation if is_root else float(squares / divisor)
        slack = 1e-15 * largest
        check_close(row[name], want, 1e-9 * want + (slack if is_root else slack * (2 * deviation + slack)),
                    f"{where}: {name}")


def order_key(row, keys):
    return (row["window_end"], row["window_start"],
            tuple((row[k] is not None, (row[k] or "").encode()) for k in keys))


def read_text(directory):
    """The committed bytes of a JSONL output, by its manifest."""
    text = b""
    for document in sorted((directory / "_manifest").glob("[0-9]*.json")):
        for entry in json.loads(document.read_text())["entries"]:
            text += (directory / entry["path"]).read_bytes()[:entry["bytes"]]
    return text


def check_case(program, what, partitions, window, delay, lateness, keys, ttl=86400000):
    """Replays samples and compares all there is; gives how many rows and late samples there were."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "in").mkdir()
        for index, samples in enumerate(partitions):
            (directory / "in" / f"{index}.prom").write_text(render(samples))
        job = make_job(window, delay, lateness, keys, ttl)
        rows, summary = replay(program, job, directory / "in", directory, "--workers", "1")
        timed, text = read_output(directory / "out" / "timed"), read_text(directory / "out" / "rows")
        job["queries"].pop()
        replay(program, job, directory / "in", directory, "--workers", "4")
        again = read_text(directory / "out" / "rows")
    values, ledger = expect(partitions, window, delay, lateness, keys)
    try:
        assert summary["badRecords"] == 0, f"{summary['badRecords']} bad records"
        for name, count in ledger.items():
            assert summary["queries"]["q"].get(name, summary.get(name)) == count, \
                f"{name} is {summary['queries']['q'].get(name)}, expected {count}"
        assert len(rows) == len(values), f"{len(rows)} rows, expected {len(values)}"
        assert rows == sorted(rows, key=lambda row: order_key(row, keys)), "rows are out of order"
        for row in rows:
            end, start = (parse_time(row[k]) for k in ("window_end", "window_start"))
            check_row(row, values[end, start, tuple(row[k] for k in keys)])
        assert text == again, "four threads write other bytes than one"
        same = [{k: v for k, v in row.items() if k not in ("first", "last", "query")} for row in timed]
        assert [{k: v for k, v in row.items() if k != "query"} for row in rows] == same, "other bits beside first and last"
    except AssertionError as problem:
        sys.exit(f"FAILED: {what}\n{problem}")
    return len(rows), ledger["late"]


def check_generated(program, seed, cases):
    rows_seen = late_seen = 0
    for case in range(cases):
        chance = random.Random(f"{seed}-{case}")
        size = chance.choice([1000, 7000, 10000, 60000])
        window = {"size": size}
        if chance.random() < 0.6:
            window["slide"] = max(size // 10, chance.choice([size, size // 2, size // 3, size * 7 // 10]))
            if chance.random() < 0.5:
                window["offset"] = chance.randrange(1 - window["slide"], window["slide"])
        delay, lateness = chance.choice([0, 1000, 5000, 60000]), chance.choice([0, 0, 3000, 30000])
        keys = chance.choice([["host"], ["kind"], ["host", "kind"], []])
        what = f"seed {seed} case {case}: window {window}, delay {delay}, lateness {lateness}, by {keys}"
        rows, late = check_case(program, what, generate(chance), window, delay, lateness, keys)
        rows_seen += rows
        late_seen += late
    assert rows_seen and late_seen, "the generated cases exercised nothing"
    print(f"generated: {cases} cases of seed {seed}, {rows_seen} rows agree, {late_seen} late samples")


def check_scrapes(program, seed, cases):
    rows_seen = 0
    for case in range(cases):
        chance = random.Random(f"{seed}-scrapes-{case}")
        step = chance.choice([10, 1000, 15000])
        slide = step * chance.choice([1, 1, 2, 3])
        window = {"size": slide * chance.choice([1, 2, 4, 10, 40]), "slide": slide}
        if chance.random() < 0.25:
            window["size"] = max(slide, window["size"] - step)
        if chance.random() < 0.5:
            window["offset"] = chance.randrange(1 - slide, slide)
        delay, lateness = slide * chance.randrange(3), chance.choice([0, 0, window["size"] // 2])
        ttl, keys = chance.choice([1, 86400000]), chance.choice([["host"], ["host"], ["host", "kind"]])
        what = f"seed {seed} scrapes {case}: window {window}, delay {delay}, lateness {lateness}, keys kept {ttl} ms"
        rows_seen += check_case(
            program, what, generate_scrapes(chance, step, window["size"]), window, delay, lateness, keys, ttl)[0]
    print(f"scrapes: {cases} cases of seed {seed}, {rows_seen} rows agree")


def parse_time(text):
    from datetime import datetime, timezone
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    return round(moment.timestamp() * 1000)


def check_recording(program):
    try:
        import duckdb
    except ImportError:
        sys.exit("needs duckdb: scripts/install-deps.sh --tests, then .venv/bin/python")
    capture = ROOT / "Tests/EndToEndTests/Fixtures/node.prom.zst"
    text = subprocess.run(["zstd", "-dc", capture], check=True, capture_output=True, text=True).stdout
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        # Samples split over three files, in time order each, so nothing is late.
        (directory / "in").mkdir()
        lines = text.splitlines(keepends=True)
        for part in range(3):
            (directory / "in" / f"{part}.prom").write_text("".join(lines[part::3]))
        rows, summary = replay(program, make_job({"size": 60000}, 1000, 0, ["name", "instance"]), directory / "in", directory)
        assert summary["late"] == 0 and summary["badRecords"] == 0
        with open(directory / "samples.csv", "w", encoding="utf-8") as out:
            for line in lines:
                series, value, at = line.rsplit(" ", 2)
                instance = series.split('instance="')[1].split('"')[0]
                out.write("\t".join((series.split("{")[0], instance, value, at)))
        database = duckdb.connect()
        answers = database.sql(f"""
            SELECT ms // 60000 * 60000 + 60000 AS window_end, name, instance, count(*), fsum(value), favg(value),
                   min(value), max(value), stddev_samp(value), stddev_pop(value), fsum(abs(value))
            FROM read_csv('{directory}/samples.csv', delim='\t', header=false, quote='',
                          columns={{'name': 'VARCHAR', 'instance': 'VARCHAR', 'value': 'DOUBLE', 'ms': 'BIGINT'}})
            GROUP BY ALL""").fetchall()
    expected = {(end, metric, instance): rest for end, metric, instance, *rest in answers}
    assert len(rows) == len(expected), f"{len(rows)} rows, DuckDB has {len(expected)}"
    for row in rows:
        n, s, a, lo, hi, sd, sdp, magnitude = expected[parse_time(row["window_end"]), row["name"], row["instance"]]
        where = f"{row['window_end']} {row['name']}"
        assert (row["n"], row["lo"], row["hi"]) == (n, lo, hi), f"{where}: {row}, DuckDB has {(n, lo, hi)}"
        check_close(row["s"], s, 1e-12 * magnitude, f"{where}: s")
        check_close(row["a"], a, 1e-12 * magnitude / n, f"{where}: a")
        # DuckDB's Welford loses some bits itself.
        for column, want in (("sd", sd), ("sdp", sdp)):
            if want is not None:
                check_close(row[column], want, 1e-9 * want + 1e-9 * max(abs(lo), abs(hi)), f"{where}: {column}")
    print(f"recording: {len(rows)} rows of 1-minute windows agree with DuckDB {duckdb.__version__}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--scrapes", type=int, default=20)
    arguments = parser.parse_args()
    check_generated(arguments.program, arguments.seed, arguments.cases)
    check_scrapes(arguments.program, arguments.seed, arguments.scrapes)
    check_recording(arguments.program)


if __name__ == "__main__":
    main()
