"""The input of a crash test and what must come out of it, worked out record by record as SEMANTICS has it."""
import json
import math
import random
from collections import defaultdict

TOPIC, EVENTS_TOPIC = "metrics", "changes"
START_MS = 1767225600000
DELAY_MS = 5_000
TUMBLING_MS = 10_000
BAD_LINES = ["rubbish{{{", "temperature{instance=\"x\"} notanumber 1767225600000", "temperature{instance=\"x",
             "temperature{a=\"1\",a=\"2\"} 1 1767225600000", "} 1 2 3", "temperature{instance=\"x\"} 1 12e99"]


class Workload:
    """Messages of each partition: text exposition with disorder, late samples, counter resets and bad lines."""

    def __init__(self, seed, partitions=4, messages=900):
        self.seed = seed
        self.messages = [self._partition(random.Random(f"{seed}/{p}"), p, messages) for p in range(partitions)]
        # What closes every window of the samples above; its own stay open.
        end = max(at for part in self.messages for _, samples in part for *_, at in samples) + 3_600_000
        for p, part in enumerate(self.messages):
            part.append((f'temperature{{instance="end-{p}",zone="end"}} 0 {end}\n',
                         [("temperature", f"end-{p}", "end", 0.0, end)]))
        self.events = self._events(random.Random(f"{seed}/events"), partitions, end)
        self.samples = [[sample for _, samples in messages for sample in samples] for messages in self.messages]

    @staticmethod
    def _events(chance, partitions, end):
        """Events out of order, some late; the last one lets every verdict go."""
        def event(at, type_, instance):
            return json.dumps({"timestamp": at, "type": type_, "reason": "r", "severity": "info", "object": "o",
                               "labels": {"instance": instance}})

        clock, events = START_MS, []
        for _ in range(80):
            clock += chance.randrange(14_000)
            kind = chance.choice(["ClusterUpgrade", "NodeMemoryPressure", "ClusterScaling"])
            host = f"host-{chance.randrange(partitions)}-{chance.randrange(6)}"
            events.append(event(clock - chance.randrange(12_000), kind, host))
        return events + [event(end + 86_400_000, "End", "")]

    def _partition(self, chance, p, count):
        """[(text, [(name, instance, zone, value, timestampMs)])], without what ends it."""
        hosts = [(f"host-{p}-{k}", f"zone-{k % 2}") for k in range(6)]
        counters = defaultdict(float)
        messages, clock = [], START_MS + chance.randrange(3000)
        for _ in range(count):
            lines, samples = [], []
            for _ in range(chance.randint(1, 5)):
                clock += chance.randrange(400)
                at = clock - chance.choice([0, 0, 0, chance.randrange(3000), chance.randrange(7000)])
                if chance.random() < 0.02:
                    at = clock - chance.randrange(20_000, 90_000)
                host, zone = chance.choice(hosts)
                if chance.random() < 0.03:
                    lines.append(chance.choice(BAD_LINES))
                    continue
                if chance.random() < 0.5:
                    name, value = "temperature", round(chance.gauss(40, 15), 3)
                elif chance.random() < 0.1:
                    name, value = "other", 1.0
                else:
                    name = "requests_total"
                    counters[host] = 0.0 if chance.random() < 0.02 else counters[host] + chance.randrange(50)
                    value = counters[host]
                labels = f'instance="{host}",zone="{zone}"'
                lines.append(f"{name}{{{labels}}} {value!r} {at}")
                samples.append((name, host, zone, value, at))
            messages.append(("\n".join(lines) + "\n", samples))
        return messages

    @property
    def partitions(self):
        return len(self.messages)

    def tumbling(self):
        """Rows of the query `tumbling` that must come out, {(windowStart, instance): (n, sum, min, max)}, and its late
        samples."""
        windows, late = defaultdict(list), 0
        for samples in self.samples:
            watermark = -math.inf
            for name, instance, _, value, at in samples:
                start = at // TUMBLING_MS * TUMBLING_MS
                if name == "temperature":
                    if watermark >= start + TUMBLING_MS:
                        late += 1
                    elif not instance.startswith("end-"):
                        windows[start, instance].append(value)
                watermark = max(watermark, at - DELAY_MS)
        return {key: (len(v), math.fsum(v), min(v), max(v)) for key, v in windows.items()}, late
