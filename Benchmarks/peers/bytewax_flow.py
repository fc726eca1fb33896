"""Bytewax: `bytewax_flow.py QUERY INPUT OUTPUT WORKERS` starts as many processes (of one worker each: Python threads share a lock)
on this file as a dataflow; its own run has QUERY, INPUT and OUTPUT in the environment."""
import json
import math
import os
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

if __name__ == "__main__":
    query, inputs, output, workers = sys.argv[1:5]
    Path(output).mkdir(parents=True)
    start = time.monotonic()
    subprocess.run([sys.executable, "-m", "bytewax.testing", "-p", workers, __file__], check=True, stdout=sys.stderr,
                   env={**os.environ, "PEER_QUERY": query, "PEER_INPUT": inputs, "PEER_OUTPUT": output})
    from importlib.metadata import version

    print(json.dumps({"version": version("bytewax"), "steadySeconds": time.monotonic() - start}))
    sys.exit()

import bytewax.operators as op  # noqa: E402
import bytewax.operators.windowing as win  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from bytewax.connectors.files import DirSource  # noqa: E402
from bytewax.dataflow import Dataflow  # noqa: E402
from bytewax.outputs import DynamicSink, StatelessSinkPartition  # noqa: E402

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
SLIDING = os.environ["PEER_QUERY"] == "sliding"
SLIDE = timedelta(seconds=10) if SLIDING else timedelta(minutes=1)


def sample(line):
    fields = json.loads(line)
    return (fields["name"] + "\t" + fields["labels"]["instance"],
            (datetime.fromisoformat(fields["timestamp"]), float(fields["value"])))


def fold(state, item):
    value = item[1]
    n, mean, m2, total, least, greatest = state
    n += 1
    delta = value - mean
    mean += delta / n
    return (n, mean, m2 + delta * (value - mean), total + value, min(least, value), max(greatest, value))


def merge(a, b):
    n = a[0] + b[0]
    delta = b[1] - a[1]
    return (n, a[1] + delta * b[0] / n, a[2] + b[2] + delta * delta * a[0] * b[0] / n, a[3] + b[3], min(a[4], b[4]),
            max(a[5], b[5]))


def row(item):
    key, (number, (n, _, m2, total, least, greatest)) = item
    name, instance = key.split("\t")
    return (EPOCH + number * SLIDE, name, instance, n, total, total / n, least, greatest,
            math.sqrt(m2 / (n - 1)) if n > 1 else None)


class RowsPartition(StatelessSinkPartition):
    SCHEMA = pa.schema([("window_start", pa.timestamp("ms", tz="UTC")), ("name", pa.string()), ("instance", pa.string()),
                        ("n", pa.int64()), *((name, pa.float64()) for name in ["s", "a", "lo", "hi", "sd"])])

    def __init__(self, index):
        self.writer = pq.ParquetWriter(Path(os.environ["PEER_OUTPUT"]) / f"{index}.parquet", self.SCHEMA, compression="zstd")
        self.rows = []

    def write_batch(self, items):
        self.rows.extend(items)
        if len(self.rows) >= 100_000:
            self.flush()

    def flush(self):
        if self.rows:
            self.writer.write_table(pa.table([list(column) for column in zip(*self.rows)], schema=self.SCHEMA))
        self.rows = []

    def close(self):
        self.flush()
        self.writer.close()


class RowsSink(DynamicSink):
    def build(self, step_id, worker_index, worker_count):
        return RowsPartition(worker_index)


flow = Dataflow("peers")
lines = op.input("read", flow, DirSource(Path(os.environ["PEER_INPUT"]), batch_size=1000))
samples = op.map("parse", lines, sample)
# Its watermark would go on with the system's clock between two samples of a key, so that a pause made the next one late: a clock
# that stands still leaves event time only. A key's samples come from one file, in order.
clock = win.EventClock(ts_getter=lambda item: item[0], wait_for_system_duration=timedelta(seconds=0), now_getter=lambda: EPOCH,
                       to_system_utc=lambda timestamp: None)
if SLIDING:
    windower = win.SlidingWindower(length=timedelta(minutes=5), offset=SLIDE, align_to=EPOCH)
else:
    windower = win.TumblingWindower(length=SLIDE, align_to=EPOCH)
windows = win.fold_window("window", samples, clock, windower, lambda: (0, 0.0, 0.0, 0.0, math.inf, -math.inf), fold, merge,
                          ordered=False)
op.output("rows", op.map("row", windows.down, row), RowsSink())
