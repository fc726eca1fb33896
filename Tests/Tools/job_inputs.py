#!/usr/bin/env python3
"""Writes the inputs of the example jobs' tests: job_inputs.py DIRECTORY (Tests/EndToEndTests/Fixtures/jobs).

One file a job, JOB.SOURCE.EXTENSION; seeded by the job's name, so a run gives the same bytes. Small: some minutes of few series.
"""
import json
import math
import random
import sys
from datetime import datetime, timezone
from pathlib import Path

START_MS = 1767225600000  # 2026-01-01T00:00:00Z
START_MINUTE = START_MS // 60_000
WRITERS = {}


def job(name):
    def add(function):
        WRITERS[name] = function
        return function

    return add


def line(name, labels, value, ms):
    return "%s{%s} %s %d" % (name, ",".join(f'{k}="{v}"' for k, v in labels.items()), repr(value), ms)


def scrapes(seconds, step):
    return range(START_MS, START_MS + seconds * 1000, step * 1000)


class Counter:
    """Grows by a random amount; starts again at 0 at the times given."""

    def __init__(self, chance, rate, resets=()):
        self.chance, self.rate, self.resets, self.value = chance, rate, resets, chance.uniform(0, 100)

    def next(self, ms):
        self.value = 0.0 if ms in self.resets else round(self.value + self.chance.uniform(0, 2 * self.rate), 3)
        return self.value


@job("node-cpu-modes.metrics.prom")
@job("node-cpu-saturation.metrics.prom")
def cpu(chance):
    modes = {"idle": 7.0, "user": 6.0, "system": 1.5, "iowait": 0.4, "irq": 0.0}
    counters = {(n, c, m): Counter(chance, r, (START_MS + 420000,) if n == "node-2:9100" else ())
                for n in ("node-1:9100", "node-2:9100") for c in "01" for m, r in modes.items()}
    for ms in scrapes(1200, 15):
        for (node, cpu_, mode), counter in counters.items():
            yield line("node_cpu_seconds_total", {"cpu": cpu_, "instance": node, "mode": mode}, counter.next(ms), ms)


@job("node-load.metrics.prom")
def load(chance):
    for ms in scrapes(900, 15):
        minute = (ms - START_MS) / 60000
        for index, node in enumerate(("node-1:9100", "node-2:9100")):
            labels = {"instance": node, "job": "node"}
            yield line("node_load1", labels, round(1 + index + math.sin(minute), 2), ms)
            yield line("node_load5", labels, round(1 + index, 2), ms)
            yield line("node_load15", labels, round(0.5 + index + minute / 100, 2), ms)
            yield line("node_memory_MemTotal_bytes", labels, 8 * 2.0**30, ms)
            free = 0.5 if index == 0 else max(0.05, 0.35 - minute / 40)
            yield line("node_memory_MemAvailable_bytes", labels, round(8 * 2**30 * free + chance.randrange(4096)), ms)


@job("disk-fill-rate.metrics.prom")
def disks(chance):
    for ms in scrapes(600, 30):
        second = (ms - START_MS) / 1000
        for mount, slope, kind in (("/", 0, "ext4"), ("/data", -2.5e6, "ext4"), ("/run", -10, "tmpfs")):
            value = 4e10 + slope * second + chance.randrange(1000)
            labels = {"fstype": kind, "instance": "node-1:9100", "mountpoint": mount}
            yield line("node_filesystem_avail_bytes", labels, value, ms)


@job("http-error-ratio.metrics.prom")
def errors(chance):
    counters = {(j, i, c): Counter(chance, r) for j in ("api", "shop") for i in "ab"
                for c, r in (("200", 100), ("404", 5), ("500", 2)) if j == "api" or c != "500"}
    for ms in scrapes(480, 15):
        for (job_, instance, code), counter in counters.items():
            yield line("http_requests_total", {"code": code, "instance": instance, "job": job_}, counter.next(ms), ms)


@job("http-latency-p99.metrics.prom")
def latency(chance):
    bounds = ("0.05", "0.1", "0.5", "1", "+Inf")
    counts = {instance: [0] * len(bounds) for instance in "ab"}
    for ms in scrapes(480, 15):
        for instance, buckets in counts.items():
            for _ in range(50):
                seconds = chance.expovariate(8)
                for index, bound in enumerate(bounds):
                    buckets[index] += seconds <= float(bound)
            for bound, count in zip(bounds, buckets):
                labels = {"instance": instance, "job": "api", "le": bound}
                yield line("http_request_duration_seconds_bucket", labels, float(count), ms)


@job("deployment-memory.metrics.prom")
def pods(chance):
    names = ("web-5d9c7b6f8-abcde", "web-5d9c7b6f8-fghij", "db-0", "worker-77f6d5c4b-k1l2m")
    for ms in scrapes(240, 15):
        for pod in names:
            for container in ("main", "proxy", ""):
                labels = {"container": container, "namespace": "prod", "pod": pod}
                yield line("container_memory_working_set_bytes", labels, float(chance.randrange(10**8, 10**9)), ms)


@job("spark-tasks.metrics.prom")
def tasks(chance):
    counters = {(a, e, k): Counter(chance, r) for a in ("etl", "scoring") for e in "12"
                for k, r in (("completed", 20), ("failed", 0.2), ("active", 4))}
    for ms in scrapes(180, 10):
        for (app, executor, kind), counter in counters.items():
            labels = {"application_name": app, "executor_id": executor}
            yield line(f"metrics_executor_{kind}Tasks_total", labels, float(round(counter.next(ms))), ms)


@job("spark-gc-share.metrics.prom")
def collections(chance):
    counters = {(e, k): Counter(chance, r) for e in "12" for k, r in (("GCTime", 0.6), ("Duration", 18))}
    for ms in scrapes(480, 15):
        for (executor, kind), counter in counters.items():
            yield line(f"metrics_executor_total{kind}_seconds_total", {"executor_id": executor}, counter.next(ms), ms)


@job("spark-dashboard.metrics.prom")
def dashboard(chance):
    kinds = ("recordsRead", "recordsWritten", "shuffleRecordsRead", "shuffleRecordsWritten")
    counters = {(a, e, k): Counter(chance, 500) for a in ("app-1", "app-2") for e in "12" for k in kinds}
    for ms in scrapes(300, 10):
        for app in ("app-1", "app-2"):
            if app == "app-2" and ms >= START_MS + 150000:
                continue  # it ended
            driver = {"app_id": app, "executor": "driver", "job": "spark"}
            yield line("spark_DAGScheduler_job_activeJobs_value", driver, float(chance.randrange(3)), ms)
            for state in ("running", "waiting", "failed"):
                yield line(f"spark_DAGScheduler_stage_{state}Stages_value", driver, float(chance.randrange(4)), ms)
            for executor in "12":
                for kind in kinds:
                    labels = {"app_id": app, "executor": executor, "job": "spark"}
                    value = float(round(counters[app, executor, kind].next(ms)))
                    yield line(f"spark_executor_{kind}_count", labels, value, ms)


@job("hydraulics.beds.prom")
def hydraulics(chance):
    rows = []
    for ms in scrapes(180, 1):
        for bed in "ab":
            for sensor, mean in (("pressure", 0.05), ("temperature", 79.3), ("volume_flow_rate_rms", 32.0)):
                at = ms + chance.randrange(1000)
                value = round(chance.gauss(mean, mean / 50), 4)
                # A sample in twenty arrives up to 9 s late, one in fifty a minute late.
                delay = 60000 if chance.random() < 0.02 else chance.randrange(9000) if chance.random() < 0.05 else 0
                rows.append((at + delay, len(rows), line(f"hydraulic_{sensor}", {"bed": bed}, value, at)))
    for _, _, text in sorted(rows):
        yield text


@job("cluster-events.events.jsonl")
def events(chance):
    kinds = (("ClusterScaling", "ScaleUp", "info"), ("NodeMemoryPressure", "EvictionThresholdMet", "warning"),
             ("ClusterUpgrade", "UpgradeStarted", "info"))
    for index, ms in enumerate(scrapes(900, 9)):
        at = datetime.fromtimestamp(ms / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        if index % 3 == 0:
            pod = f"web-{chance.randrange(4)}"
            warns = chance.random() < 0.5
            yield json.dumps({
                "apiVersion": "v1", "kind": "Event", "type": "Warning" if warns else "Normal",
                "reason": "BackOff" if warns else "Scheduled", "message": f"{pod}: {'back-off' if warns else 'assigned'}",
                "metadata": {"name": f"{pod}.{index:x}", "namespace": "prod", "uid": f"u{index}"},
                "involvedObject": {"kind": "Pod", "name": pod, "namespace": "prod"},
                "firstTimestamp": at, "lastTimestamp": at, "count": 1})
        else:
            type_, reason, severity = chance.choice(kinds)
            yield json.dumps({
                "timestamp": at, "type": type_, "reason": reason, "severity": severity,
                "object": f"MachineSet/workers-{chance.randrange(3)}", "message": f"event {index}", "labels": {"cluster": "c1"}})


@job("node-pressure.metrics.prom")
def pressure(chance):
    # node-1 fills up, with an event; node-2 fills up while it is upgraded; node-3 is gone for some minutes.
    for ms in scrapes(2400, 15):
        minute = (ms // 60_000) - START_MINUTE
        for node in ("node-1", "node-2", "node-3"):
            used = 0.5 + chance.random() / 10
            if node == "node-1" and 10 <= minute < 20 or node == "node-2" and 12 <= minute < 24:
                used = 0.95
            if node == "node-3" and 15 <= minute < 21:
                continue
            yield line("node_memory_MemTotal_bytes", {"node": node}, 16e9, ms)
            yield line("node_memory_MemAvailable_bytes", {"node": node}, round(16e9 * (1 - used)), ms)


@job("node-pressure.changes.jsonl")
def changes(chance):
    def at(minute):
        return datetime.fromtimestamp((START_MINUTE + minute) * 60, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    for minute, type_, reason, node in ((11, "NodeMemoryPressure", "EvictionThresholdMet", "node-1"),
                                        (12, "ClusterUpgrade", "NodeDrained", "node-2"),
                                        (30, "ClusterScaling", "ScaleUp", "node-4")):
        yield json.dumps({"timestamp": at(minute), "type": type_, "reason": reason, "severity": "info",
                          "object": f"Node/{node}", "message": reason, "labels": {"node": node}})


@job("event-impact.metrics.prom")
def impact(chance):
    # node-1 is busier after its event, node-2 is silent after it, the scale-out relieves all.
    idle = {node: 0.0 for node in ("node-1", "node-2", "node-3")}
    for ms in scrapes(3000, 15):
        minute = (ms - START_MS) / 60_000
        for node in idle:
            busy = 0.3 + 0.3 * (node == "node-1" and minute >= 14.5) - 0.2 * (minute >= 34)
            idle[node] = round(idle[node] + 15 * (1 - busy) + chance.uniform(-0.3, 0.3), 3)
            if node == "node-2" and 24 <= minute < 40:
                continue
            yield line("node_cpu_seconds_total", {"cpu": "0", "instance": f"{node}:9100", "mode": "idle"}, idle[node], ms)


@job("event-impact.changes.jsonl")
def impact_events(chance):
    for second, type_, reason, node in ((870, "NodeMemoryPressure", "EvictionThresholdMet", "node-1"),
                                        (1440, "Node", "NodeNotReady", "node-2"),
                                        (2040, "ClusterScaling", "ScaleUp", None)):
        at = datetime.fromtimestamp(START_MS / 1000 + second, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        yield json.dumps({"timestamp": at, "type": type_, "reason": reason, "severity": "info",
                          "object": f"Node/{node}" if node else "MachineSet/workers", "message": reason,
                          "labels": {"cluster": "c1", **({"node": node} if node else {})}})


@job("zero-ratio.states.jsonl")
def states(chance):
    for ms in scrapes(300, 5):
        at = datetime.fromtimestamp(ms / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        for instance, zeros in (("pump-1", 0.1), ("pump-2", 0.6), ("pump-3", 0.0)):
            value = "0" if chance.random() < zeros else "1"
            yield json.dumps({"timestamp": at, "value": value, "name": "pump_up",
                              "labels": {"__name__": "pump_up", "instance": instance}})


INCIDENT_MS = range(START_MS + 1500000, START_MS + 1920000)


@job("memory-leak.metrics.prom")
def leak(chance):
    for ms in scrapes(2400, 30):
        for node in (1, 2):
            leaked = 0.4 * 2**30 * (ms - INCIDENT_MS.start) / 60000 if node == 2 and ms in INCIDENT_MS else 0
            available = round(11 * 2**30 + chance.gauss(0, 1e8) - leaked)
            yield line("node_memory_MemAvailable_bytes", {"instance": f"node-{node}:9100", "job": "node"}, available, ms)
            for name in ("api", "worker"):
                used = round(4e8 + chance.gauss(0, 1e7) + (leaked if name == "api" else 0))
                labels = {"container": name, "instance": f"node-{node}:10250", "namespace": "shop", "pod": f"{name}-{node}"}
                yield line("container_memory_working_set_bytes", labels, used, ms)


@job("slow-stage.metrics.prom")
def slow(chance):
    idle, bounds, buckets = [0.0, 0.0], ("0.1", "0.5", "1", "5", "+Inf"), [[0] * 5, [0] * 5]
    for ms in scrapes(2100, 30):
        for node in (0, 1):
            is_slow = node == 1 and ms in INCIDENT_MS
            idle[node] += 30 * (0.05 if is_slow else chance.uniform(0.6, 0.7))
            labels = {"cpu": "0", "instance": f"node-{node + 1}:9100", "mode": "idle"}
            yield line("node_cpu_seconds_total", labels, round(idle[node], 3), ms)
            for _ in range(100):
                seconds = chance.expovariate(1 if is_slow else 8)
                for index, bound in enumerate(bounds):
                    buckets[node][index] += seconds <= float(bound)
            for bound, count in zip(bounds, buckets[node]):
                labels = {"instance": f"node-{node + 1}:8080", "job": "api", "le": bound}
                yield line("http_request_duration_seconds_bucket", labels, float(count), ms)


@job("skewed-shuffle.metrics.prom")
def skew(chance):
    counters = [Counter(chance, 1) for _ in range(5)]
    for ms in scrapes(2100, 30):
        for index, counter in enumerate(counters):
            counter.rate = 120 * (1 if ms not in INCIDENT_MS else 6 if index == 2 else 0.3)
            counter.value += counter.rate * chance.uniform(0.9, 1.1)
            labels = {"application_name": "etl", "executor_id": f"{index + 1}"}
            yield line("metrics_executor_completedTasks_total", labels, round(counter.value), ms)


@job("failing-executors.metrics.prom")
def failing(chance):
    tasks, good, bad = [0.0] * 3, [0.0] * 3, [0.0] * 3
    for ms in scrapes(2100, 30):
        fails = ms in INCIDENT_MS
        for node in range(3):
            yield line("up", {"instance": f"node-{node + 1}:9100", "job": "node"}, 0.0 if fails and node == 0 else 1.0, ms)
            if fails and node == 0:
                continue
            tasks[node] += 120 * chance.uniform(0.9, 1.1)
            requests = 3000 * chance.uniform(0.9, 1.1)
            share = 0.15 if fails else 0.01 * chance.uniform(0.8, 1.2)
            good[node] += requests * (1 - share)
            bad[node] += requests * share
            labels = {"application_name": "etl", "executor_id": f"{node + 1}"}
            yield line("metrics_executor_completedTasks_total", labels, round(tasks[node]), ms)
            for code, value in (("200", good[node]), ("500", bad[node])):
                labels = {"code": code, "instance": f"node-{node + 1}:8080", "job": "api"}
                yield line("http_requests_total", labels, round(value), ms)


@job("disk-exhaustion.metrics.prom")
def exhaustion(chance):
    for ms in scrapes(2400, 30):
        second = (ms - START_MS) / 1000
        for mount, start, slope in (("/", 4e10, -3e4), ("/data", 2e10, -1.5e6)):
            value = round(start + slope * second + chance.gauss(0, 1e6))
            labels = {"fstype": "ext4", "instance": "node-1:9100", "mountpoint": mount}
            yield line("node_filesystem_avail_bytes", labels, value, ms)


def main():
    directory = Path(sys.argv[1])
    for name, function in WRITERS.items():
        (directory / name).write_text("".join(text + "\n" for text in function(random.Random(name))))


if __name__ == "__main__":
    main()
