#!/usr/bin/env python3
"""A replay of many samples: it shows progress, can be interrupted, and runs in bounded memory.

    replay.py PATH-TO-stream-job [SAMPLES, 10000000]

- Progress: the share done rises, with event time, samples a second and the time left.
- Memory: the peak is within 25 % of that of a tenth of the input.
- SIGINT in the middle: exit code 130, `stopped after` in the summary, and files of which the manifest's readers see the beginning of
  what the whole replay wrote; another replay refuses the directory, and replaces it with --overwrite.
"""
import json
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile

JOB = """
name: replay
sources:
  metrics: {kafka: {topics: [metrics]}, format: prometheus, watermark: {delay: 10s}}
queries:
  - name: q
    window: {size: 1m}
    groupBy: [instance]
    aggregates: {n: count(), s: sum(value), p: 'quantile(0.9, value)'}
    sinks: [{jsonl: {path: rows}}]
"""
SERIES = 500


def write_input(path, samples):
    with open(path, "w") as out:
        for t in range(samples // SERIES):
            at = 1767225600000 + t * 1000
            out.write("".join(
                f'metric_{i % 50}{{instance="node-{i // 50}:9100"}} {(i * 7919 + t) % 10007} {at}\n' for i in range(SERIES)))


def replay(program, work, source, output, *options, interrupt=False):
    """Runs at a terminal to the end, or to a signal once a third is done. Gives exit code, stderr and summary."""
    words = [program, "replay", f"{work}/job.yaml", "--input", f"metrics={source}", "--output", output, "--summary", "json", *options]
    terminal, side = pty.openpty()
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=side, text=True)
    os.close(side)
    errors = b""
    isAsked = False
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        errors += piece
        shares = re.findall(rb"(\d+) %", errors)
        if interrupt and not isAsked and shares and int(shares[-1]) >= 33:
            child.send_signal(signal.SIGINT)
            isAsked = True
    out = child.communicate()[0]
    os.close(terminal)
    lines = out.strip().splitlines()
    return child.returncode, errors.decode(), json.loads(lines[-1]) if lines else None


def committed(directory):
    """The bytes that the manifest names, in its order."""
    data = b""
    manifest = os.path.join(directory, "_manifest")
    for name in sorted(os.listdir(manifest)):
        if name.startswith(".") or not name.endswith(".json"):
            continue
        for entry in json.load(open(os.path.join(manifest, name)))["entries"]:
            with open(os.path.join(directory, entry["path"]), "rb") as file:
                data += file.read(entry["bytes"])
    return data


def main():
    program = os.path.abspath(sys.argv[1])
    samples = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000_000
    with tempfile.TemporaryDirectory() as work:
        open(f"{work}/job.yaml", "w").write(JOB)
        small, large = f"{work}/small.prom", f"{work}/large.prom"
        write_input(small, samples // 10)
        write_input(large, samples)
        code, errors, part = replay(program, work, small, f"{work}/out-small")
        assert code == 0, errors
        code, errors, whole = replay(program, work, large, f"{work}/out")
        assert code == 0 and whole["samples"] == samples // SERIES * SERIES, errors
        shares = [int(share) for share in re.findall(r"(\d+) %", errors)]
        assert len(shares) >= 2 and shares == sorted(shares), f"progress {shares}"
        assert re.search(r"\d+ %   2026-01-01 \d\d:\d\dZ   [\d.,]+ ?[kM]? samples/s   .* left", errors), errors[-2000:]
        ratio = whole["peakRSSBytes"] / part["peakRSSBytes"]
        print(f"{samples} samples in {whole['seconds']:.1f} s, {len(shares)} times progress, "
              f"peak {whole['peakRSSBytes'] / 2**20:.1f} MiB, {ratio:.2f} of a tenth's")
        assert ratio < 1.25, "memory follows the length of the input"

        code, errors, cut = replay(program, work, large, f"{work}/cut", interrupt=True)
        assert code == 130, f"exit code {code}: {errors}"
        assert "stopping" in errors and "stopped after" in errors, errors
        assert 0 < cut["samples"] < whole["samples"], cut
        rows, beginning = committed(f"{work}/out/rows"), committed(f"{work}/cut/rows")
        assert beginning and len(beginning) < len(rows) and rows.startswith(beginning), "other rows than the whole replay's"
        code, errors, _ = replay(program, work, large, f"{work}/cut")
        assert code == 2 and "--overwrite" in errors, errors
        code, errors, again = replay(program, work, large, f"{work}/cut", "--overwrite")
        assert code == 0 and committed(f"{work}/cut/rows") == rows, errors
        seen, all_rows = beginning.count(b"\n"), rows.count(b"\n")
        print(f"interrupted after {cut['samples']} samples: exit code 130, {seen} rows, the first of {all_rows}")


if __name__ == "__main__":
    main()
