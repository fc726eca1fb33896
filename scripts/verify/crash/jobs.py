"""The job under test, and its processes."""
import json
import os
import signal
import subprocess
import time

from workload import DELAY_MS, EVENTS_TOPIC, TOPIC

GROUP = "crash"
STEPS = ["planned", "sink-prepared", "state-written", "transaction-begun", "outputs-sent", "offsets-sent", "decided",
         "sink-published", "published", "cleaned", "snapshot-written", "state-loaded"]

# Kafka output topics and their partitions; `updates` is compared by the last row of each window and key.
TOPICS = {"tumbling": 2, "sliding": 2, "updates": 2, "late-tumbling": 1, "alerts": 2, "impacts": 1}
FILES = ["out/tumbling", "out/sliding", "out/late-sliding", "out/low", "out/odd", "out/scores", "out/impacts"]

# Verdicts never go without their events: what comes out depends on the input alone.
EVENTS = {"from": "changes", "maxWait": "1h"}


class Shape:
    """A variant of the job: partition-local or alone, dead letters in Kafka or in files."""

    def __init__(self, name, local, dead_letters_to_kafka, compression="zstd"):
        self.name, self.local = name, local
        self.dead_letters_to_kafka, self.compression = dead_letters_to_kafka, compression
        self.topics = dict(TOPICS)
        self.files = list(FILES)
        if not local:
            self.topics["zones"] = 1
            self.files += ["out/zones", "out/drift"]
        if dead_letters_to_kafka:
            self.topics["dead-letters"] = 1
        else:
            self.files.append("checkpoint/dead-letter")

    def job(self, address, instance=None, session_ms=2000, options=None):
        """The job file. JSON is YAML."""
        kafka_options = {"session.timeout.ms": str(session_ms), "heartbeat.interval.ms": str(max(100, session_ms // 6)),
                         "reconnect.backoff.max.ms": "500"}
        kafka_options.update(options or {})
        if instance:
            kafka_options["group.instance.id"] = instance
        keys = ["instance"]
        queries = [
            {"name": "tumbling", "select": "temperature", "window": {"size": "10s"}, "groupBy": keys,
             "aggregates": {"n": "count()", "s": "sum(value)", "lo": "min(value)", "hi": "max(value)",
                            "sd": "stddev(value)", "f": "first(value)"},
             "sinks": [{"kafka": {"topic": "tumbling"}}, {"jsonl": {"path": "out/tumbling"}}],
             "late": {"kafka": {"topic": "late-tumbling"}}, "anomalies": self._anomalies(),
             "impacts": [{"name": "events", "column": "s", **EVENTS, "match": keys, "before": "40s", "after": "40s",
                          "sinks": [{"kafka": {"topic": "impacts"}}, {"jsonl": {"path": "out/impacts"}}]}]},
            {"name": "sliding", "select": "requests_total", "window": {"size": "30s", "slide": "10s"}, "groupBy": keys,
             "aggregates": {"r": "sum(rate(value))", "i": "max(increase(value))", "q": "quantile(0.9, value)"},
             "allowedLateness": "3s",
             "sinks": [{"jsonl": {"path": "out/sliding", "targetFileSize": "32KiB"}}, {"kafka": {"topic": "sliding"}}],
             "late": {"jsonl": {"path": "out/late-sliding"}},
             "anomalies": [{"name": "scores", "column": "r", "detector": {"type": "ewma", "sigmas": 2, "warmup": 3},
                            "emit": "all", "sinks": [{"jsonl": {"path": "out/scores"}}]}]},
            {"name": "updates", "select": "temperature", "window": {"size": "20s"}, "groupBy": keys,
             "aggregates": {"n": "count()", "s": "sum(value)"}, "outputMode": "update",
             "sinks": [{"kafka": {"topic": "updates"}}]},
        ]
        if not self.local:
            queries.append(
                {"name": "zones", "window": {"size": "15s"}, "groupBy": ["zone"],
                 "aggregates": {"n": "count()", "a": "avg(value)", "l": "last(value)"},
                 "sinks": [{"kafka": {"topic": "zones"}}, {"jsonl": {"path": "out/zones"}}],
                 "anomalies": [{"name": "drift", "column": "a", "groupInto": ["zone"],
                                "detector": {"type": "cusum", "limit": 2, "warmup": 3},
                                "sinks": [{"kafka": {"topic": "alerts"}}, {"jsonl": {"path": "out/drift"}}]}]})
        for query in queries:
            query["from"] = "metrics"
        job = {
            "name": GROUP, "kafka": {"brokers": address, "options": kafka_options},
            "sources": {"metrics": {"kafka": {"topics": [TOPIC]}, "format": "prometheus",
                                    "partitionedBy": keys if self.local else [],
                                    "watermark": {"delay": f"{DELAY_MS}ms", "idleTimeout": "off",
                                                  "maxFutureSkew": "off"}},
                        "changes": {"kafka": {"topics": [EVENTS_TOPIC]}, "format": "event-json", "broadcast": True,
                                    "watermark": {"delay": "10s", "idleTimeout": "off", "maxFutureSkew": "off"}}},
            "queries": queries, "trigger": {"interval": "50ms"},
            "checkpoint": {"location": "checkpoint", "compression": self.compression, "retainEpochs": 5,
                           "snapshotRatio": 1},
        }
        if self.dead_letters_to_kafka:
            job["deadLetter"] = {"kafka": {"topic": "dead-letters"}}
        return job

    @staticmethod
    def _anomalies():
        return [
            {"name": "low", "column": "lo", "detector": {"type": "threshold", "below": 20}, "keepFiringFor": "20s",
             "cooldown": "10s",
             "context": [{**EVENTS, "where": 'type == "ClusterUpgrade"', "match": ["instance"], "after": "20s",
                          "action": "suppress"},
                         {**EVENTS, "where": 'type == "NodeMemoryPressure"', "match": ["instance"], "before": "10s",
                          "after": "30s", "action": "raise"}],
             "sinks": [{"kafka": {"topic": "alerts"}}, {"jsonl": {"path": "out/low"}}]},
            {"name": "odd", "column": "s", "detector": {"type": "auto", "score": 0.5, "warmup": 4}, "emit": "flags",
             "sinks": [{"kafka": {"topic": "alerts"}}, {"jsonl": {"path": "out/odd"}}]},
            {"name": "gone", "column": "n", "detector": {"type": "absent", "after": 1}, "for": "10s",
             "sinks": [{"kafka": {"topic": "alerts"}}]},
        ]


class Process:
    """One start of a member."""

    def __init__(self, words, directory, log, environment=None):
        self.log, self.started = log, time.monotonic()
        self.out = open(f"{log}.out", "wb")
        self.errors = open(f"{log}.err", "wb")
        self.popen = subprocess.Popen(words, cwd=directory, stdout=self.out, stderr=self.errors,
                                      env={**os.environ, **(environment or {})})

    def wait(self, timeout):
        """The exit code (negative: the signal), or None when it still runs."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    @property
    def is_running(self):
        return self.popen.poll() is None

    @property
    def is_stopped(self):
        """Whether it was stopped by SIGSTOP."""
        try:
            with open(f"/proc/{self.popen.pid}/stat") as stat:
                return stat.read().rsplit(")", 1)[1].split()[0] == "T"
        except FileNotFoundError:
            return False

    def signal(self, number):
        if self.is_running:
            self.popen.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.popen.wait()

    def error_text(self):
        self.errors.flush()
        with open(f"{self.log}.err", errors="replace") as file:
            return file.read()

    def summary(self):
        """The summary as JSON: the last line on stdout."""
        with open(f"{self.log}.out") as file:
            lines = file.read().splitlines()
        assert lines, f"no summary: see {self.log}.err"
        return json.loads(lines[-1])
