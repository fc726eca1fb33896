#!/usr/bin/env python3
"""Asks a real Prometheus for every function over seeded samples, and stores samples and answers.

    prometheus_answers.py --seed 1 --minutes 60 --output DIR [--fixture FILE]

DIR gets:
  samples.om       OpenMetrics text, loaded with `promtool tsdb create-blocks-from openmetrics`
  remote/*.bin     remote-write messages with staleness markers, sent to the remote-write receiver
  answers.json     {"version", "sets": [{"name", "sizeMs", "stepMs", "firstEndMs", "count",
                    "answers": {function: {parameter: {series: [text or null, one for each window]}}}}]}
FILE gets samples and answers as lines for the Swift test (see `fixture`).
"""
import argparse
import json
import math
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import prometheus_samples as samples

START_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z, a multiple of two hours: one block holds the plain samples
BLOCK_MS = 7_200_000

FUNCTIONS = {
    "rate": [None], "increase": [None], "delta": [None], "irate": [None], "deriv": [None], "changes": [None],
    "resets": [None], "avg_over_time": [None], "sum_over_time": [None], "min_over_time": [None],
    "max_over_time": [None], "last_over_time": [None], "count_over_time": [None], "stddev_over_time": [None],
    "quantile_over_time": [0, 0.37, 0.9, 1], "predict_linear": [3600, -90.5],
}
QUANTILES = [0, 0.1, 0.5, 0.99, 1]


def free_port():
    """A port that nobody has, below those that the system gives to whoever asks for any."""
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)):
                return port


class Server:
    """A Prometheus of its own on a data directory."""

    def __init__(self, folder):
        self.url = f"http://127.0.0.1:{free_port()}"
        config = os.path.join(folder, "prometheus.yml")
        with open(config, "w") as f:
            f.write("global: {scrape_interval: 1h}\n")
        self.log = open(os.path.join(folder, "prometheus.log"), "w")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data",
             "--storage.tsdb.retention.time=100y", "--web.enable-remote-write-receiver",
             f"--web.listen-address={self.url[7:]}"], stdout=self.log, stderr=self.log)
        until = time.monotonic() + 180
        while True:
            try:
                urllib.request.urlopen(self.url + "/-/ready", timeout=5).read()
                return
            except (urllib.error.URLError, OSError):
                if self.process.poll() is not None or time.monotonic() > until:
                    sys.exit(f"prometheus did not start; see {self.log.name}")
                time.sleep(0.1)

    def get(self, path, **parameters):
        data = urllib.parse.urlencode(parameters).encode() if parameters else None
        try:
            with urllib.request.urlopen(self.url + path, data=data, timeout=600) as reply:
                return json.load(reply)["data"]
        except urllib.error.HTTPError as error:
            sys.exit(f"prometheus refused {parameters}: {error.read().decode()}")

    def send(self, message):
        request = urllib.request.Request(
            self.url + "/api/v1/write", data=message,
            headers={"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf",
                     "X-Prometheus-Remote-Write-Version": "0.1.0"})
        try:
            urllib.request.urlopen(request, timeout=600).read()
        except urllib.error.HTTPError as error:
            sys.exit(f"prometheus refused a remote-write message: {error.read().decode()}")

    def stop(self):
        self.process.terminate()
        self.process.wait(180)
        self.log.close()


def ask(server, query, first_end, step, count, key):
    """{series key: [text or None, one for each window]}."""
    data = server.get("/api/v1/query_range", query=query, start=first_end / 1000,
                      end=(first_end + step * (count - 1)) / 1000, step=step / 1000)
    out = {}
    for result in data["result"]:
        column = [None] * count
        for at, text in result["values"]:
            column[round((at * 1000 - first_end) / step)] = text
        labels = {k: v for k, v in result["metric"].items() if k not in ("__name__",)}
        out[key(labels)] = column
    return out


def label_key(labels):
    return ",".join(f"{k}={v}" for k, v in sorted(labels.items()))


def ask_all(server, name, start, end, size, step, with_histograms):
    first_end = start + step
    count = (end - first_end) // step + size // step
    answers = {}

    def add(function, parameter, query):
        answers.setdefault(function, {})[str(parameter)] = ask(server, query, first_end, step, count, label_key)

    plain = f'{{job="{samples.JOB}",series!=""}}[{size}ms]'
    for function, parameters in FUNCTIONS.items():
        for p in parameters:
            arguments = plain if p is None else f"{plain},{p}" if function == "predict_linear" else f"{p},{plain}"
            add(function, p, f"{function}({arguments})")
    if with_histograms:
        buckets = f'rate({{job="{samples.JOB}",hist!=""}}[{size}ms])'
        for q in QUANTILES:
            add("histogram_quantile", q, f"histogram_quantile({q}, {buckets})")
            add("histogram_quantile by hist", q, f"histogram_quantile({q}, sum by (hist, le) ({buckets}))")
        add("histogram_quantile by hist", -0.5, f"histogram_quantile(-0.5, sum by (hist, le) ({buckets}))")
        add("histogram_quantile by hist", 1.5, f"histogram_quantile(1.5, sum by (hist, le) ({buckets}))")
        add("sum(rate) by hist", None, f"sum by (hist) ({buckets})")
    return {"name": name, "sizeMs": size, "stepMs": step, "firstEndMs": first_end, "count": count, "answers": answers}


def fixture(version, seed, all_series, sets):
    """Lines of blank-separated words:
         series KEY COUNT, then COUNT words `deltaMs:value` (the first delta from START_MS), a marker's value `stale`
         set NAME sizeMs stepMs firstEndMs count
         answer FUNCTION PARAMETER KEY, then one word for each window, `-` for none, runs as `word*n`
    """
    def runs(words):
        out = []
        for word in words:
            if out and out[-1][0] == word:
                out[-1][1] += 1
            else:
                out.append([word, 1])
        return " ".join(w if n == 1 else f"{w}*{n}" for w, n in out)

    lines = [f"# Answers of Prometheus {version}, seed {seed}; written by scripts/verify/prometheus_answers.py",
             f"start {START_MS}"]
    for s in all_series:
        words, last = [], START_MS
        for t, v in s.samples:
            text = "stale" if v is samples.STALE else samples.number(v).removesuffix(".0")
            words.append(f"{t - last}:{text}")
            last = t
        lines.append(f"series {s.key} {len(words)} {' '.join(words)}")
    for one in sets:
        lines.append(f"set {one['name']} {one['sizeMs']} {one['stepMs']} {one['firstEndMs']} {one['count']}")
        for function, by_parameter in one["answers"].items():
            for parameter, by_series in by_parameter.items():
                for key, column in by_series.items():
                    words = runs("-" if text is None else text for text in column)
                    lines.append(f"answer {function.replace(' ', '_')} {parameter} {key} {words}")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--minutes", type=int, default=60, help="length of the plain samples; at most 115")
    parser.add_argument("--step-seconds", type=int, default=150)
    parser.add_argument("--output", required=True)
    parser.add_argument("--fixture")
    options = parser.parse_args()
    os.makedirs(f"{options.output}/remote", exist_ok=True)

    end = START_MS + options.minutes * 60_000
    plain = samples.plain(samples.rng_of(options.seed, "plain"), START_MS, end)
    # The receiver takes nothing older than its newest block.
    stale_start = START_MS + BLOCK_MS
    stale_end = stale_start + 20 * 60_000
    stale = list(samples.stale(samples.rng_of(options.seed, "stale"), stale_start, stale_end))

    text = f"{options.output}/samples.om"
    with open(text, "w") as f:
        f.write(samples.openmetrics(plain))
    rows = samples.by_time(stale)
    messages = [samples.snappy(samples.write_request(rows[i:i + 20])) for i in range(0, len(rows), 20)]
    for i, message in enumerate(messages):
        with open(f"{options.output}/remote/{i:05}.bin", "wb") as f:
            f.write(message)

    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", text, f"{folder}/data"],
                              capture_output=True, text=True)
        if made.returncode != 0:
            sys.exit(f"promtool: {made.stdout}{made.stderr}")
        server = Server(folder)
        try:
            version = server.get("/api/v1/status/buildinfo")["version"]
            for message in messages:
                server.send(message)
            step = options.step_seconds * 1000
            sets = [
                ask_all(server, "plain-5m", START_MS, end, 300_000, step, True),
                ask_all(server, "plain-90s", START_MS, end, 90_500, 4 * step, True),
                ask_all(server, "stale-5m", stale_start, stale_end, 300_000, 60_000, False),
            ]
        finally:
            server.stop()

    answered = sum(text is not None for one in sets for f in one["answers"].values() for p in f.values()
                   for column in p.values() for text in column)
    with open(f"{options.output}/answers.json", "w") as f:
        json.dump({"version": version, "seed": options.seed, "sets": sets}, f)
    if options.fixture:
        with open(options.fixture, "w") as f:
            f.write(fixture(version, options.seed, plain + stale, sets))
    print(f"prometheus {version}: {sum(len(s.samples) for s in plain + stale)} samples, {answered} answers"
          f" in {options.output}")
    if answered == 0:
        sys.exit("no answer at all: the samples did not arrive")


if __name__ == "__main__":
    main()
