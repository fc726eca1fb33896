#!/usr/bin/env python3
"""Measures the detectors through the program: detectors.py [--program PATH] [--seeds N] [--nab DIR] [--skab DIR] [--parts modes,normal,node,series,families]

1. The generator's incidents (memory, slow, skewed, failure): does the shipped job of each flag every one within 3 windows?
2. Normal workloads, a day for each of two seeds: false alarms of the shipped jobs, and of `auto` on every series.
3. Synthetic series with labelled anomalies, made from the recipe below (levels, days and weeks, trends, five kinds of noise;
   spikes, shifts, ramps, unrest, flat stretches): `auto` against a rolling 3 sigma, a rolling MAD and an EWMA.
   The same of the families of detector_series.py (twelve it was developed on, eight held out) and of Yahoo-like series.
4. The recorded node of the tests with its labelled periods of stress; the Numenta Anomaly Benchmark
   (https://github.com/numenta/NAB), where --nab names its folder, each series in windows of its own interval; SKAB
   (https://github.com/waico/SKAB), where --skab names its `data`, by sensor in windows of 10 s.

Needs numpy. Exits with 1 where a promise of docs/detectors.md is broken.
"""
import argparse
import csv
import datetime as dt
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import detector_series

ROOT = Path(__file__).resolve().parents[2]
MODES = {"memory": "memory-leak", "slow": "slow-stage", "skewed": "skewed-shuffle", "failure": "failing-executors"}
DAY_MS = 86_400_000


def ms(text):
    return int(dt.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def program(*arguments):
    done = subprocess.run([OPTIONS.program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, arguments))}\n{done.stderr}")
    return done.stdout


def rows(directory):
    found = []
    for path in sorted(directory.rglob("*.jsonl")):
        if "anomalies" in path.parts:
            found += [json.loads(text) for text in path.read_text().splitlines()]
    return found


def replay(job, inputs, scratch, name):
    out = scratch / name
    arguments = [x for source, path in inputs.items() for x in ("--input", f"{source}={path}")]
    program("replay", job, *arguments, "--output", out, "--overwrite")
    return rows(out)


def labels(path):
    return [(ms(r["start"]), ms(r["end"]), r["kind"], r["selector"]) for r in csv.DictReader(path.open())]


def concerns(row, selector):
    """Whether a row's labels match a labels file's selector."""
    for name, operator, value in re.findall(r'(\w+)(=~|=)"([^"]*)"', selector):
        mine = row["labels"].get(name)
        if mine is None or not (re.fullmatch(value, mine) if operator == "=~" else mine == value):
            return False
    return True


# Parts 1 and 2


def modes(scratch):
    broken = 0
    for mode, job in MODES.items():
        delays, missed = [], 0
        for seed in range(1, OPTIONS.seeds + 1):
            data = scratch / f"{mode}-{seed}"
            program("generate", "--output", data, "--mode", mode, "--seed", seed, "--duration", "2h")
            fired = [r for r in replay(ROOT / f"jobs/{job}.yaml", {"metrics": data / "metrics"}, scratch, f"{mode}-{seed}-out")
                     if r["state"] == "firing"]
            for start, end, _, selector in labels(data / "labels.csv"):
                ends = [ms(r["window_end"]) for r in fired if concerns(r, selector) and start < ms(r["window_end"]) <= end + 60_000]
                # Windows begun since the incident began, the first one counted: 1 is the window it began in.
                delay = min(((e - 1 - start // 60_000 * 60_000) // 60_000 + 1 for e in ends), default=None)
                missed += delay is None or delay > 3
                delays.append(delay)
        found = [d for d in delays if d is not None]
        print(f"| {mode} | {job} | {len(delays)} | {len(delays) - missed} | {np.mean(found) if found else 0:.1f} | {max(found, default=0)} |")
        broken += missed
    return broken


def every_series(scratch):
    def query(name, select, aggregate):
        return f"""  - name: {name}
    select: '{{{select}}}'
    columns: {{metric: name}}
    window: {{size: 1m}}
    groupBy: [metric, instance, cpu, mode, device, namespace, pod, job, code, le, executor_id]
    aggregates: {{v: {aggregate}}}
    sinks: [{{jsonl: {{path: out/{name}}}}}]
    anomalies:
      - {{name: any, column: v, detector: {{type: auto, warmup: 20}}, sinks: [{{jsonl: {{path: out/anomalies/{name}}}}}]}}
"""
    job = scratch / "every-series.yaml"
    counters = '__name__{}"(.*_total|.*_bucket|.*_sum|.*_count)"'
    job.write_text(
        "name: every-series\nkafka: {brokers: \"localhost:9092\"}\nsources:\n  metrics: {kafka: {topics: [metrics]}, format: prometheus}\n"
        "queries:\n" + query("gauges", "__name__=~\".+\", " + counters.format("!~"), "avg(value)")
        + query("counters", counters.format("=~"), "sum(rate(value))"))
    return job


def normal(scratch):
    jobs = {name: ROOT / f"jobs/{name}.yaml" for name in [*MODES.values(), "disk-exhaustion"]}
    jobs["auto on every series"] = every_series(scratch)
    counts = {name: 0 for name in jobs}
    for seed in (1, 2):
        data = scratch / f"normal-{seed}"
        program("generate", "--output", data, "--seed", seed, "--duration", "1d")
        for name, job in jobs.items():
            counts[name] += sum(r["state"] == "firing" for r in replay(job, {"metrics": data / "metrics"}, scratch, "normal-out"))
    for name, count in counts.items():
        # 350 series, two days.
        print(f"| {name} | {count} | {count / 2 / 3.5:.2f} |")
    return max(counts.values()) / 2 / 3.5 > 1


# Part 3: series


def synthetic(seed, count):
    """(name, slide ms, window ends, values, labels) of each series."""
    chance = np.random.default_rng(seed)
    for index in range(count):
        slide = int(chance.choice([60_000, 300_000, 3_600_000]))
        size = {60_000: 4320, 300_000: 4032, 3_600_000: 1400}[slide]
        times = 1_767_225_600_000 + int(chance.integers(0, 168)) * 3_600_000 + slide * (np.arange(size) + 1)
        x = np.arange(size)
        day = DAY_MS / slide
        swing = chance.uniform(0, 3) if chance.random() < 0.7 else 0.0
        y = swing * np.sin(2 * np.pi * x / day + chance.uniform(0, 6)) + 0.4 * swing * np.sin(4 * np.pi * x / day + chance.uniform(0, 6))
        if chance.random() < 0.3:
            y += chance.uniform(0.5, 2) * ((x // day) % 7 >= 5)
        if chance.random() < 0.3:
            y += chance.uniform(0.5, 2) * np.sin(2 * np.pi * x / chance.uniform(10, 200))
        if chance.random() < 0.4:
            y += chance.uniform(-6, 6) * x / size
        kind = str(chance.choice(["gauss", "laplace", "ar", "log-ar", "walk"]))
        noise = chance.normal(0, 1, size) if kind != "laplace" else chance.laplace(0, 0.7, size)
        if kind in ("ar", "log-ar"):
            keep = chance.uniform(0.3, 0.95)
            for j in range(1, size):
                noise[j] = keep * noise[j - 1] + np.sqrt(1 - keep * keep) * noise[j]
        elif kind == "walk":
            noise = np.cumsum(0.05 * noise) + chance.normal(0, 0.3, size)
        deviation = chance.uniform(0.1, 0.6)
        y = y + deviation * noise
        marks = []
        for start in sorted(chance.integers(size // 5, size - 80, chance.integers(0, 4))):
            if marks and times[start] < marks[-1][1] + 60 * slide:
                continue
            what, sign, length = chance.choice(["spike", "level", "ramp", "unrest", "flat"]), chance.choice([-1, 1]), int(chance.integers(8, 50))
            if what == "spike":
                length = int(chance.integers(1, 3))
                y[start:start + length] += sign * (6 * deviation + chance.uniform(0.5, 2) * (swing / 2 + deviation))
            elif what == "level":
                y[start:start + length] += sign * (5 * deviation + chance.uniform(0.3, 1.5) * (swing / 2 + deviation))
            elif what == "ramp":
                y[start:start + length] += sign * np.linspace(0, 1, length) * (7 * deviation + swing)
            elif what == "unrest":
                y[start:start + length] += deviation * chance.normal(0, 4, length)
            else:
                y[start:start + length] = y[start] + (0 if swing > 0.5 else sign * 3 * deviation)
            marks.append((int(times[start]) - slide, int(times[start + length - 1])))
        values = 10 ** chance.uniform(-1, 5) * (np.exp(0.15 * y) if kind == "log-ar" else 8 + y)
        yield f"s{index}", slide, times, values, marks


def skab(directory):
    for path in sorted(Path(directory).rglob("*.csv")):
        table = list(csv.DictReader(path.open(), delimiter=";"))
        if "anomaly" not in table[0]:
            continue
        times = np.array([ms(r["datetime"].replace(" ", "T") + "Z") for r in table])
        ends = (times // 10_000 + 1) * 10_000
        windows = np.unique(ends)
        wrong = np.array([float(r["anomaly"]) for r in table])
        marks, begun = [], None
        for t, bad in [*zip(times, wrong), (times[-1] + 1000, 0)]:
            if bad and begun is None:
                begun = int(t)
            elif not bad and begun is not None:
                marks.append((begun, int(t)))
                begun = None
        for column in [c for c in table[0] if c not in ("datetime", "anomaly", "changepoint")]:
            values = np.array([float(r[column]) for r in table])
            mean = np.array([values[ends == w].mean() for w in windows])
            yield f"{path.parent.name}-{path.stem}-{column.replace(' ', '')}", 10_000, windows, mean, marks


def nab(directory):
    windows = json.loads((directory / "labels/combined_windows.json").read_text())
    for name, marks in windows.items():
        table = list(csv.reader((directory / "data" / name).open()))[1:]
        samples = dict(sorted((ms(r[0].replace(" ", "T") + "Z"), float(r[1])) for r in table))
        times, values = np.array(list(samples)), np.array(list(samples.values()))
        slide = int(np.median(np.diff(times)))
        # The end of the window that each sample falls into; a window with two samples keeps the last.
        ends = (times // slide + 1) * slide
        keep = np.append(np.diff(ends) > 0, True)
        yield name, slide, ends[keep], values[keep], [tuple(ms(t[:19].replace(" ", "T") + "Z") for t in mark) for mark in marks]


def judge(series, scratch):
    """Whether `auto` flags each window of each series, through the program."""
    series = list(series)
    flags = {}
    for slide in sorted({s[1] for s in series}):
        lines = []
        for name, _, times, values, _ in (s for s in series if s[1] == slide):
            middles = [int(t) - slide // 2 for t in times]
            lines += [(m, f'v{{series="{name}"}} {v!r} {m}') for m, v in zip(middles, map(float, values))]
        (scratch / "series.prom").write_text("".join(text + "\n" for _, text in sorted(lines)))
        job = scratch / "series.yaml"
        job.write_text(f"""name: series
kafka: {{brokers: "localhost:9092"}}
sources:
  metrics: {{kafka: {{topics: [metrics]}}, format: prometheus}}
queries:
  - name: series
    select: v
    window: {{size: {slide}ms}}
    groupBy: [series]
    aggregates: {{v: avg(value)}}
    sinks: [{{jsonl: {{path: out/series}}}}]
    anomalies:
      - {{name: any, column: v, detector: {{type: auto}}, emit: flags, sinks: [{{jsonl: {{path: out/anomalies/series}}}}]}}
""")
        for row in replay(job, {"metrics": scratch / "series.prom"}, scratch, "series-out"):
            if row["state"] in ("firing", "flagged"):
                flags.setdefault(row["labels"]["series"], set()).add(ms(row["window_end"]))
    return series, [np.array([int(t) in flags.get(s[0], ()) for t in s[2]]) for s in series]


def rolling(values, flags, warmup=30, history=300):
    """`flags(pasts, values)` of each value after the warm-up, by the `history` values before it, or those there are."""
    found = np.zeros(len(values), bool)
    for i in range(warmup, min(history, len(values))):
        found[i] = flags(values[None, :i], values[i:i + 1])[0]
    if len(values) > history:
        pasts = np.lib.stride_tricks.sliding_window_view(values, history)
        for i in range(history, len(values), 4000):
            now = values[i:i + 4000]
            found[i:i + 4000] = flags(pasts[i - history:i - history + len(now)], now)
    return found


def three_sigma(pasts, values):
    return np.abs(values - pasts.mean(1)) > 3 * pasts.std(1) + 1e-9 * np.abs(values)


def five_mads(pasts, values):
    median = np.median(pasts, 1)
    return np.abs(values - median) > 5 * 1.4826 * np.median(np.abs(pasts - median[:, None]), 1) + 1e-9 * np.abs(values)


def ewma(values, rate=1 / 87, warmup=30):
    mean, variance, flags = values[0], 0.0, np.zeros(len(values), bool)
    for i in range(1, len(values)):
        distance = values[i] - mean
        flags[i] = i >= warmup and abs(distance) > 4 * np.sqrt(variance) + 1e-9 * abs(mean)
        step = max(rate, 1 / (i + 1))
        mean += step * distance
        variance = (1 - step) * (variance + step * distance * distance)
    return flags


def score(series, flags):
    """Point, range and delay-aware scores: F1 over windows; F1 over incidents and false alarms (flags up to 5 windows apart are
    one, those up to 0.3 lengths after an incident none); reward 1 for a flag at once, falling as a sigmoid to 0 at the end,
    less 0.11 for each false alarm, divided by the incidents (NAB's profile)."""
    hits = false = missed = found = incidents = alarms = windows = 0
    reward = 0.0
    for (_, slide, times, _, marks), flagged in zip(series, flags):
        windows += len(times)
        inside, near = np.zeros(len(times), bool), np.zeros(len(times), bool)
        for start, end in marks:
            within = (times > start) & (times - slide < end)
            if not within.any():
                continue
            inside |= within
            near |= (times > start) & (times - slide < end + max(3 * slide, 0.3 * (end - start)))
            incidents += 1
            first = np.flatnonzero(flagged[within])
            if len(first):
                found += 1
                reward += 1 / (1 + np.exp(5 * (first[0] / max(within.sum(), 5) - 1)))
        hits += (flagged & inside).sum()
        false += (flagged & ~near).sum()
        missed += (~flagged & inside).sum()
        last = -10
        for place in np.flatnonzero(flagged):
            alarms += place - last > 5 and not near[place]
            last = place
    point = 2 * hits / max(2 * hits + false + missed, 1)
    ranges = 2 * found / max(found + incidents + alarms, 1)
    return f"{incidents} | {found} | {alarms} | {alarms / windows * 1000:.2f} | {point:.2f} | {ranges:.2f} | {(reward - 0.11 * alarms) / max(incidents, 1):.2f}"


def nab_score(series, flags, by_alarm):
    """NAB's standard profile: 1 for an incident found at its begin, falling to 0 at its end, -1 for one missed, down to -0.11 for
    what is flagged outside; 100 is perfect, 0 is nothing flagged. `by_alarm` counts flags up to 5 windows apart as one, NAB itself
    each window. What comes before 15 % of a series, 750 windows at most, does not count."""
    def sigmoid(y):
        return 2 / (1 + np.exp(5 * y)) - 1

    total = incidents = 0
    for (_, slide, times, _, marks), flagged in zip(series, flags):
        begin = min(int(0.15 * len(times)), 750)
        bounds = [(int(np.searchsorted(times, s, "right")), int(np.searchsorted(times - slide, e))) for s, e in marks]
        bounds = [(a, b) for a, b in bounds if b > max(begin, a)]
        places = np.flatnonzero(flagged)
        places = places[places >= begin]
        inside = np.zeros(len(times), bool)
        incidents += len(bounds)
        for a, b in bounds:
            inside[a:b] = True
            hits = places[(places >= a) & (places < b)]
            total += sigmoid((hits[0] - b) / (b - a)) / sigmoid(-1) if len(hits) else -1
        last = -10
        for place in places:
            if not inside[place] and not (by_alarm and place - last <= 5):
                before = [(a, b) for a, b in bounds if b <= place]
                far = (place - before[-1][1] + 1) / max(before[-1][1] - before[-1][0] - 1, 1) if before else 9
                total += 0.11 * (sigmoid(far) if far < 3 else -1)
            last = place
    return f"{50 * (total + incidents) / max(incidents, 1):.0f}"


def compare(name, series, scratch):
    series, flags = judge(series, scratch)

    def line(label, flags):
        print(f"| {name} | {label} | {score(series, flags)} | {nab_score(series, flags, True)} | {nab_score(series, flags, False)} |", flush=True)

    line("auto", flags)
    for label, baseline in (("3 sigma", lambda v: rolling(v, three_sigma)), ("5 MAD", lambda v: rolling(v, five_mads)), ("EWMA", ewma)):
        line(label, [baseline(s[3]) for s in series])


STRESS = {
    "cpu": ('node_cpu_seconds_total{mode="idle"}', "1 - avg(rate(value))"),
    "memory": ("node_memory_MemAvailable_bytes", "avg(value)"),
    "disk": ("node_disk_written_bytes_total", "sum(rate(value))"),
    "context-switches": ("node_context_switches_total", "sum(rate(value))"),
}


def node(scratch):
    """The recorded node, a query for each kind of stress, windows of 30 s. What came before the first label is load."""
    job = scratch / "node.yaml"
    job.write_text("name: node\nkafka: {brokers: \"localhost:9092\"}\nsources:\n  metrics: {kafka: {topics: [metrics]}, format: prometheus}\nqueries:\n"
                   + "".join(f"""  - name: {kind}
    select: '{select}'
    window: {{size: 30s}}
    groupBy: [instance]
    aggregates: {{v: "{aggregate.replace("1 - ", "")}"}}
    sinks: [{{jsonl: {{path: out/{kind}}}}}]
    anomalies:
      - {{name: any, column: v, detector: {{type: auto}}, sinks: [{{jsonl: {{path: out/anomalies/{kind}}}}}]}}
""" for kind, (select, aggregate) in STRESS.items()))
    fired = [r for r in replay(job, {"metrics": ROOT / "Tests/EndToEndTests/Fixtures/node.prom.zst"}, scratch, "node-out") if r["state"] == "firing"]
    periods = labels(ROOT / "Tests/EndToEndTests/Fixtures/node-labels.csv")
    for start, end, kind, _ in periods:
        by = sorted({(r["query"], (ms(r["window_end"]) - start + 29_999) // 30_000) for r in fired
                     if start < ms(r["window_end"]) <= end + 30_000}, key=lambda x: x[1])
        print(f"| {kind} | {', '.join(f'{query} in window {window}' for query, window in by) or 'nothing'} |")
    outside = [r for r in fired if ms(r["window_end"]) > periods[0][0] and not any(s < ms(r["window_end"]) <= e + 60_000 for s, e, _, _ in periods)]
    print(f"| between them | {len(outside)} alarms |")


def main():
    broken = 0
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        if "modes" in OPTIONS.parts:
            print("| mode | job | incidents | flagged within 3 windows | mean window | latest |\n|---|---|---|---|---|---|")
            broken += modes(scratch)
        if "normal" in OPTIONS.parts:
            print("\n| normal, 2 days, 350 series | alarms | a day and 100 series |\n|---|---|---|")
            broken += normal(scratch)
        if "node" in OPTIONS.parts:
            print("\n| stress of the recorded node | fires |\n|---|---|")
            node(scratch)
        if "series" in OPTIONS.parts or "families" in OPTIONS.parts:
            print("\n| series | detector | incidents | found | false alarms | per 1000 windows | point F1 | range F1 | reward | NAB, alarms | NAB, windows |\n|" + "---|" * 11)
        if "families" in OPTIONS.parts:
            compare("families", detector_series.make(3, detector_series.DEVELOPMENT, 1), scratch)
            compare("families held out", detector_series.make(3, detector_series.HELD_OUT, 1), scratch)
            compare("Yahoo-like", detector_series.yahoo(3, 80), scratch)
        if "series" in OPTIONS.parts:
            for seed in (101, 102):
                compare(f"synthetic, seed {seed}", synthetic(seed, 60), scratch)
            if OPTIONS.nab:
                compare("NAB", nab(Path(OPTIONS.nab)), scratch)
            if OPTIONS.skab:
                compare("SKAB, 10 s", skab(OPTIONS.skab), scratch)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / ".build/release/stream-job"))
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--nab")
    parser.add_argument("--skab")
    parser.add_argument("--parts", default="modes,normal,node,series,families")
    OPTIONS = parser.parse_args()
    main()
