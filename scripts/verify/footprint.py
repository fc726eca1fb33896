#!/usr/bin/env python3
"""What a small job costs: memory, CPU, start, size.

    scripts/verify/footprint.py [--seconds 60] [--binary .build/release/stream-job] [--static BINARY]

Input: 91 test beds of 8 sensors at 1 Hz, each bed a topic of its own, each sample a message: 728 messages/s, made here, to an
embedded broker in a process of its own. The job is jobs/hydraulics.yaml as it stands (1-minute windows, six aggregates,
console and a topic, state in a checkpoint, a transaction an epoch, trigger 10 s).

- memory: the job's peak RSS (VmHWM) after --seconds; CPU: its user and system time over the last four fifths of them.
- start: from exec until the log says that it reads its partitions (joined, assigned, state looked for: more than the limit
  asks for), five starts, the first with an empty checkpoint; the partitions' records wait for it.
- size: the binary, stripped, and the shared libraries it names; --static is the one scripts/package.sh makes.

Exit code 1 where a limit does not hold: 64 MiB, 3 % of a core, 200 ms until it reads; 2 where the job has not taken in what was
sent while it was measured, or called some of it bad. Installs confluent-kafka into
.build/verify-tools/venv where it is missing.
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

from live_kit import ROOT, cpu_seconds, embedded_broker, need_kafka_client

need_kafka_client()
from confluent_kafka import Producer

BEDS = 91
SENSORS = [
    "accelerometer1_rms", "accelerometer2_rms", "current_amperes", "pressure_bar", "temperature_celsius",
    "thermocouple_celsius", "voltage_volts", "volume_flow_lpm"]


def peak_mib(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024


def start(binary, brokers, folder):
    """Starts the job; gives it, and the milliseconds until it has joined the group and reads."""
    begun = time.monotonic()
    run = subprocess.Popen(
        [binary, "run", os.path.join(ROOT, "jobs/hydraulics.yaml"), "--set", f"kafka.brokers={brokers}", "--set",
         f"checkpoint.location={folder}/checkpoint", "--summary", "json"],
        stdout=open(f"{folder}/rows", "w"), stderr=subprocess.PIPE, text=True, bufsize=1, cwd=folder)
    lines = []
    for line in run.stderr:
        lines.append(line)
        # The first line after joining; it names what the group has assigned.
        if " reading hydraulic" in line:
            return run, (time.monotonic() - begun) * 1000
    sys.exit("".join(lines))


def stop(run, folder):
    """Ends the job; gives its summary, which stands below its rows."""
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=30)
    with open(f"{folder}/rows") as rows:
        return json.loads(rows.read().strip().splitlines()[-1])


def feed(producer, seconds):
    """728 messages a second, spread evenly, with the clock's time."""
    begun, sent = time.time(), 0
    while True:
        now = time.time()
        if now - begun > seconds:
            break
        while sent < (now - begun) * BEDS * len(SENSORS):
            bed, sensor = sent % BEDS, sent // BEDS % len(SENSORS)
            text = f'{SENSORS[sensor]}{{bed="{bed}"}} {sent * 7919 % 100003 / 1000} {int(now * 1000)}\n'
            producer.produce(f"hydraulic-{bed}", text.encode())
            sent += 1
        producer.poll(0.01)
    producer.flush(30)
    return sent


def size(binary, name):
    with tempfile.NamedTemporaryFile() as stripped:
        subprocess.run(["strip", "-o", stripped.name, binary], check=True)
        mib = os.stat(stripped.name).st_size / 2**20
    needed = subprocess.run(["readelf", "-d", binary], capture_output=True, text=True, check=True).stdout
    libraries = [line.split("[")[1].split("]")[0] for line in needed.splitlines() if "(NEEDED)" in line]
    print(f"{name}: {mib:.1f} MiB stripped ({os.stat(binary).st_size / 2**20:.1f} MiB with symbols); "
          f"needs {' '.join(libraries)}")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=int, default=60)
    arguments.add_argument("--binary", default=os.path.join(ROOT, ".build/release/stream-job"))
    arguments.add_argument("--static")
    options = arguments.parse_args()
    binary = os.path.abspath(options.binary)
    topics = ",".join(["hydraulics:1"] + [f"hydraulic-{bed}:1" for bed in range(BEDS)])
    with embedded_broker(binary, "footprint", ["--memory", "--topics", topics]) as (brokers, folder, children):
        producer = Producer({"bootstrap.servers": brokers, "linger.ms": 5, "log_level": 0})
        feed(producer, 2)
        reads = []
        for turn in range(5):
            run, reading = start(binary, brokers, folder)
            reads.append(reading)
            if turn < 4:
                stop(run, folder)
        children.append(run)
        warm = feed(producer, options.seconds / 5)
        cpu, begun = cpu_seconds(run.pid), time.monotonic()
        sent = feed(producer, options.seconds * 4 / 5)
        elapsed = time.monotonic() - begun
        share = (cpu_seconds(run.pid) - cpu) / elapsed * 100
        rate = sent / elapsed
        mib = peak_mib(run.pid)
        summary = stop(run, folder)
    # The first record it takes in may lie before what is counted here; the last ones may come after its last epoch.
    if summary["samples"] < (warm + sent) * 0.97 or summary["badRecords"]:
        print(f"footprint.py: the job took in {summary['samples']} samples of {warm + sent}, {summary['badRecords']} bad",
              file=sys.stderr)
        sys.exit(2)
    print(f"hydraulics, {rate:.0f} messages/s in {BEDS} topics for {options.seconds} s: peak RSS {mib:.1f} MiB, "
          f"{share:.2f} % of a core")

    print(f"start: joined and reading {BEDS} partitions after {' '.join(f'{value:.0f}' for value in reads)} ms")
    size(binary, "binary")
    if options.static:
        size(options.static, "binary with Swift's runtime inside")
    holds = mib < 64 and share < 3 and max(reads) < 200
    print(f"limits: 64 MiB, 3 %, joined in 200 ms: {'hold' if holds else 'do not hold'}")
    sys.exit(0 if holds else 1)


main()
