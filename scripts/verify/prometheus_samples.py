"""Seeded samples that are hard on range functions: resets, gaps, restarts, series that come and go, NaN, infinities,
values that cancel or overflow, staleness markers.

No sample lies on a multiple of GRID_MS, where Prometheus's range (closed in 2.x, left-open in 3.x) and our window
(right-open) would differ by definition.
"""
import math
import random
import re
import struct
import subprocess

GRID_MS = 500
STALE = object()
STALE_BITS = struct.pack("<Q", 0x7FF0000000000002)
JOB = "verify"


class Series:
    """One series: its name, its labels (name -> value) and its samples [(timestampMs, value)] in time order."""

    def __init__(self, name, labels, samples):
        self.name = name
        self.labels = dict(labels)
        self.samples = samples

    @property
    def key(self):
        return ",".join(f"{k}={v}" for k, v in sorted(self.labels.items()))


def times(rng, start, end, interval_ms, jitter_ms=300):
    """Scrape times with jitter, never on the grid and never where seconds as a double would lose the millisecond:
    Prometheus truncates `seconds * 1000`."""
    out = []
    t = start + rng.randrange(interval_ms)
    while t < end:
        at = t + rng.randrange(-jitter_ms, jitter_ms + 1)
        while at % GRID_MS == 0 or int(float(f"{at / 1000:.3f}") * 1000) != at:
            at += 1
        if at < end and at > start and (not out or at > out[-1]):
            out.append(at)
        t += interval_ms
    return out


def without(stamps, spans, start, end):
    """The times outside of spans, given as fractions of [start, end)."""
    length = end - start
    cut = [(start + a * length, start + b * length) for a, b in spans]
    return [t for t in stamps if not any(a <= t < b for a, b in cut)]


def counter(rng, stamps, rate, first=0.0, reset=0.0, restart_after_ms=None, whole=True):
    """A counter that resets with a probability at each sample, and after a gap longer than restart_after_ms."""
    out = []
    value = first
    last = None
    for t in stamps:
        if last is not None:
            if rng.random() < reset or (restart_after_ms and t - last > restart_after_ms):
                value = 0.0
            step = rng.expovariate(1.0) * rate * (t - last) / 1000
            value += float(round(step)) if whole else step
        out.append((t, value))
        last = t
    return out


def gauges(rng, start, end):
    """(id, samples) of gauges."""
    def every(seconds):
        return times(rng, start, end, int(seconds * 1000))

    walk = 50.0
    samples = []
    for t in every(15):
        walk += rng.gauss(0, 2)
        samples.append((t, walk))
    yield "g-walk", samples
    yield "g-constant", [(t, 42.5) for t in every(15)]
    yield "g-sine", [(t, 100 * math.sin(t / 300000)) for t in every(20)]
    yield "g-steps", [(t, float(rng.choice([1, 1, 1, 2, 3]))) for t in every(10)]
    yield "g-nan", [(t, math.nan if rng.random() < 0.2 else rng.gauss(0, 1)) for t in every(15)]
    yield "g-all-nan", [(t, math.nan) for t in every(30)]
    yield "g-inf", [(t, math.inf if rng.random() < 0.04 else rng.gauss(0, 1)) for t in every(15)]
    yield "g-both-infs", [
        (t, rng.choice([math.inf, -math.inf, 1.0, 2.0]) if rng.random() < 0.1 else 3.0) for t in every(15)]
    yield "g-inf-constant", [(t, -math.inf) for t in every(45)]
    yield "g-huge", [(t, rng.choice([-1, 1]) * rng.uniform(0.5, 1.7) * 1e308) for t in every(30)]
    yield "g-tiny", [(t, rng.uniform(-1, 1) * 1e-308) for t in every(30)]
    yield "g-offset", [(t, 1e9 + rng.gauss(0, 1e-3)) for t in every(15)]
    yield "g-cancelling", [(t, rng.choice([1e16, -1e16, 1.0, 3.0])) for t in every(15)]
    yield "g-comes-and-goes", [
        (t, rng.gauss(10, 1)) for t in without(every(15), [(0, .1), (.25, .33), (.5, .52), (.7, .95)], start, end)]
    yield "g-one", [(every(600)[0], 7.0)]
    yield "g-two", [(t, float(i)) for i, t in enumerate(every(130)[:2])]


def counters(rng, start, end):
    """(id, samples) of counters."""
    def every(seconds):
        return times(rng, start, end, int(seconds * 1000))

    def gapped(seconds, *spans):
        return without(every(seconds), spans, start, end)

    yield "c-steady", counter(rng, every(15), 20, first=1000.0)
    yield "c-resets", counter(rng, every(15), 5, first=3.0, reset=0.06)
    yield "c-gap", counter(rng, gapped(15, (.4, .52)), 3, first=500.0)
    yield "c-restart", counter(rng, gapped(15, (.3, .36), (.6, .75)), 3, first=90.0, restart_after_ms=60_000)
    yield "c-begins", counter(rng, gapped(15, (0, .41)), 1, first=2.0)
    yield "c-begins-at-zero", counter(rng, gapped(15, (0, .57)), 4)
    yield "c-ends", counter(rng, gapped(15, (.63, 1)), 8, first=10.0)
    yield "c-sparse", counter(rng, every(70), 2, first=11.0, reset=0.05)
    yield "c-very-sparse", counter(rng, every(200), 2, first=1.0)
    yield "c-slow", counter(rng, every(30), 0.01)
    yield "c-large", counter(rng, every(15), 1e9, first=9e15)
    yield "c-seconds", counter(rng, every(15), 0.83, first=12345.678, reset=0.01, whole=False)
    yield "c-zero", [(t, 0.0) for t in every(15)]
    yield "c-constant", [(t, 17.0) for t in every(15)]
    yield "c-negative", [(t, v - 300.0) for t, v in counter(rng, every(15), 1)]
    yield "c-nan", [(t, math.nan if rng.random() < 0.08 else v) for t, v in counter(rng, every(15), 2)]
    yield "c-inf", [(t, math.inf if rng.random() < 0.03 else v) for t, v in counter(rng, every(15), 2)]
    yield "c-comes-and-goes", counter(
        rng, gapped(15, (.05, .11), (.2, .23), (.3, .41), (.55, .57), (.8, .97)), 6, first=1.0, restart_after_ms=45_000)
    yield "c-jittery", counter(rng, times(rng, start, end, 15_000, 7_000), 6, first=1.0)
    yield "c-bursts", counter(rng, sorted(set(every(40)) | set(every(41)) | set(every(13))), 6, first=1.0)


def histograms(rng, start, end):
    """Bucket series of classic histograms, healthy and not."""
    def bucket_series(hist, bounds, instances, growth, spoil=0.0, reset=0.0):
        for instance in instances:
            stamps = times(rng, start, end, 15_000)
            counts = {b: 0.0 for b in bounds}
            rows = {b: [] for b in bounds}
            for t in stamps:
                if rng.random() < reset:
                    counts = {b: 0.0 for b in bounds}
                grown = 0.0
                for b in bounds:
                    grown += float(rng.randrange(growth + 1)) if growth else 0.0
                    counts[b] += grown
                    # A scrape that lost a bucket, or one bucket that counts for itself: rates are not monotonic then.
                    if rng.random() >= spoil:
                        rows[b].append((t, counts[b]))
            for b in bounds:
                yield Series(
                    f"{hist.replace('-', '_')}_bucket", {"job": JOB, "hist": hist, "instance": instance, "le": b},
                    rows[b])

    usual = ["0.005", "0.05", "0.25", "1", "5", "+Inf"]
    yield from bucket_series("h-usual", usual, ["a", "b", "c"], 4)
    yield from bucket_series("h-resets", usual, ["a", "b"], 4, reset=0.05)
    yield from bucket_series("h-spoiled", usual, ["a", "b"], 2, spoil=0.4, reset=0.02)
    yield from bucket_series("h-no-inf", ["1", "2", "4"], ["a"], 3)
    yield from bucket_series("h-only-inf", ["+Inf"], ["a"], 3)
    yield from bucket_series("h-idle", ["1", "+Inf"], ["a"], 0)
    yield from bucket_series("h-negative", ["-2.5", "-1e0", "0", "1", "+Inf"], ["a"], 3)
    yield from bucket_series("h-mixed-spelling", ["1", "1.0", "2", "Inf"], ["a", "b"], 3)
    yield from bucket_series("h-bad-bound", ["1", "much", "+Inf"], ["a"], 3)


def plain(rng, start, end):
    """Everything that fits in a text format."""
    out = []
    for kind, make in (("counter", counters), ("gauge", gauges)):
        for name, samples in make(rng, start, end):
            labels = {"job": JOB, "series": name}
            out.append(Series(f"verify_{name[2:].replace('-', '_')}" + ("_total" if kind == "counter" else ""),
                              labels, samples))
    out.extend(histograms(rng, start, end))
    return out


def stale(rng, start, end):
    """Series with staleness markers, which only remote-write carries."""
    def every(seconds, *spans):
        return without(times(rng, start, end, int(seconds * 1000)), spans, start, end)

    def marked(samples, after_gap_ms=None, chance=0.0):
        out = []
        for i, (t, v) in enumerate(samples):
            out.append((t, v))
            following = samples[i + 1][0] if i + 1 < len(samples) else None
            if following is None or (after_gap_ms and following - t > after_gap_ms):
                at = t + 1_003
                while at % GRID_MS == 0:
                    at += 1
                out.append((at, STALE))
            elif rng.random() < chance:
                out[-1] = (t, STALE)
        return out

    yield Series("stale_counter_total", {"job": JOB, "series": "s-counter"},
                 marked(counter(rng, every(15, (.3, .4), (.7, .8)), 5, first=40.0, restart_after_ms=60_000), 60_000))
    yield Series("stale_flapping_total", {"job": JOB, "series": "s-flapping"},
                 marked(counter(rng, every(15), 5, first=4.0), chance=0.2))
    yield Series("stale_gauge", {"job": JOB, "series": "s-gauge"},
                 marked([(t, rng.gauss(5, 3)) for t in every(15)], chance=0.1))
    yield Series("stale_only", {"job": JOB, "series": "s-only-markers"}, [(t, STALE) for t in every(60)])


def number(value):
    """A value as text formats write it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def exposition(series):
    """`name{labels}`."""
    inside = ",".join(f'{k}="{v}"' for k, v in sorted(series.labels.items()))
    return f"{series.name}{{{inside}}}"


def by_time(all_series):
    """(timestampMs, series, value), in time order."""
    rows = [(t, i, v) for i, s in enumerate(all_series) for t, v in s.samples]
    rows.sort(key=lambda row: row[:2])
    return [(t, all_series[i], v) for t, i, v in rows]


def openmetrics(all_series):
    """OpenMetrics 1.0 text of the samples in time order."""
    lines = [f"{exposition(s)} {number(v)} {t / 1000:.3f}" for t, s, v in by_time(all_series)]
    return "\n".join(lines) + "\n# EOF\n"


# Remote-write 1.0, written by hand so that nothing is shared with the decoder under test.

def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number_, payload):
    return varint(number_ << 3 | 2) + varint(len(payload)) + payload


def write_request(rows):
    """A WriteRequest with one TimeSeries for each (timestampMs, series, value) row."""
    out = b""
    for t, s, v in rows:
        labels = sorted([("__name__", s.name), *s.labels.items()])
        body = b"".join(field(1, field(1, k.encode()) + field(2, w.encode())) for k, w in labels)
        bits = STALE_BITS if v is STALE else struct.pack("<d", v)
        body += field(2, b"\x09" + bits + b"\x10" + varint(t))
        out += field(1, body)
    return out


def snappy(data):
    """The snappy block format with literals only."""
    out = bytearray(varint(len(data)))
    for at in range(0, len(data), 65536):
        piece = data[at:at + 65536]
        out += bytes([61 << 2]) + struct.pack("<H", len(piece) - 1) + piece
    return bytes(out)


def rng_of(seed, part):
    return random.Random(f"{seed}/{part}")


def cookbook(rng, start, end):
    """Samples for the example jobs: names and labels as node_exporter, cAdvisor, Spark and services give them."""
    def every(seconds):
        return times(rng, start, end, int(seconds * 1000))

    for instance in ("node-1:9100", "node-2:9100"):
        for cpu in range(4):
            for mode, share in (("idle", .7), ("user", .2), ("system", .1)):
                labels = {"job": "node", "instance": instance, "cpu": str(cpu), "mode": mode}
                yield Series("node_cpu_seconds_total", labels,
                             counter(rng, every(15), share, first=5e4, reset=0.002, whole=False))
        for mount, kind in (("/", "ext4"), ("/data", "xfs"), ("/run", "tmpfs")):
            left = 5e10
            rows = []
            for t in every(15):
                left -= rng.uniform(-1e6, 6e7)
                rows.append((t, float(round(left))))
            labels = {"job": "node", "instance": instance, "mountpoint": mount, "fstype": kind, "device": "/dev/vda1"}
            yield Series("node_filesystem_avail_bytes", labels, rows)
    for job in ("api", "shop", "quiet"):
        for instance in ("a", "b"):
            codes = {"200": 40, "404": 2, "500": 0.3, "503": 0.1} if job != "quiet" else {"200": 1}
            for code, rate in codes.items():
                labels = {"job": job, "instance": instance, "code": code}
                yield Series("http_requests_total", labels, counter(rng, every(15), rate, reset=0.005))
            bounds = ["0.005", "0.01", "0.05", "0.1", "0.5", "1", "+Inf"]
            counts = [0.0] * len(bounds)
            rows = [[] for _ in bounds]
            for t in every(15):
                for i in range(len(bounds)):
                    grown = rng.randrange(12)
                    for j in range(i, len(bounds)):
                        counts[j] += grown
                    rows[i].append((t, counts[i]))
            for bound, samples in zip(bounds, rows):
                # The counts of one scrape are one scrape's: a lower bucket never counts more.
                labels = {"job": job, "instance": instance, "le": bound}
                yield Series("http_request_duration_seconds_bucket", labels, samples)
    for pod in ("shop-7c9d8f6b5-x2x4q", "shop-7c9d8f6b5-9kq2l", "api-server-55f6b-abcde", "database-0"):
        for container in ("main", "proxy", ""):
            labels = {"job": "cadvisor", "namespace": "prod", "pod": pod, "container": container}
            yield Series("container_memory_working_set_bytes", labels,
                         [(t, float(rng.randrange(10**8, 10**9))) for t in every(15)])
    for executor in ("driver", "1", "2"):
        labels = {"job": "spark", "application_id": "app-1", "application_name": "etl", "executor_id": executor}
        for name, rate, whole in (("completedTasks_total", 3, True), ("failedTasks_total", .05, True),
                                  ("totalGCTime_seconds_total", .03, False),
                                  ("totalDuration_seconds_total", .9, False)):
            yield Series(f"metrics_executor_{name}", labels, counter(rng, every(5), rate, reset=0.001, whole=whole))


def prometheus_text(rows):
    """Text exposition of (timestampMs, series, value) rows, in the order given."""
    return "".join(f"{exposition(s)} {number(v)} {t}\n" for t, s, v in rows)


def recorded(path):
    """The series of a file of Prometheus text with a timestamp in each line (compressed with zstd where it ends so)."""
    command = ["zstd", "-dc", path] if path.endswith(".zst") else ["cat", path]
    found = {}
    for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        if line.startswith("#") or not line:
            continue
        head, value, at = line.rsplit(" ", 2)
        if head not in found:
            name, _, inside = head.partition("{")
            labels = dict(re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\\]|\\\\.)*)"', inside))
            found[head] = Series(name, labels, [])
        found[head].samples.append((int(at), float(value)))
    return list(found.values())
