#!/usr/bin/env python3
"""Makes the inputs of the comparison: `sample-json` as the prometheus-kafka-adapter writes it, one object a line, two files
(two partitions). Deterministic: the same bytes everywhere (seed 9).

    inputs.py DIRECTORY [SHAPE-FORM ...]         makes those that are not there (all: few-json, many-text and so on)

few:          2,000,000 samples of    500 series (25 metrics x 20 instances), 4,000 scrapes 15 s apart: 16 h 40 min
many:         2,000,000 samples of 200,000 series (25 metrics x 8,000 instances), 10 scrapes 15 s apart
long:        16,000,000 samples of  1,000 series, 16,000 scrapes, in four files, text only
few-quarter:    500,000 samples: the first 1,000 scrapes of few, sample-json only
many-quarter:   500,000 samples of  50,000 series, otherwise as many, sample-json only

Each file has its share of the instances. A file is in time order; an instance is scraped at its own second of the 15. A third
of the metrics are growing integers, a third decimals of three places, a third numbers of up to 17 digits.
"""
import functools
import random
import shutil
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
SCRAPE_SECONDS = 15
METRICS = 25
# Instances, scrapes, files.
SHAPES = {"few": (20, 4000, 2), "many": (8000, 10, 2), "long": (40, 16000, 4), "few-quarter": (20, 1000, 2),
          "many-quarter": (2000, 10, 2)}
FORMS = [("few", "json"), ("few", "text"), ("many", "json"), ("many", "text"), ("long", "text"), ("few-quarter", "json"),
         ("many-quarter", "json")]
NAMES_OF_FORMS = [f"{shape}-{form}" for shape, form in FORMS]
NAMES = [
    "node_cpu_seconds_total", "node_memory_MemAvailable_bytes", "node_disk_io_time_seconds_total", "node_load1",
    "node_network_receive_bytes_total",
]


def values(metric, generator):
    """The endless values of one series."""
    value = generator.randrange(1 << 20)
    if metric % 3 == 0:
        while True:
            value += generator.randrange(5000)
            yield str(value)
    if metric % 3 == 1:
        while True:
            value += generator.randrange(-2000, 2000)
            yield "%d.%03d" % (abs(value) // 1000, abs(value) % 1000)
    while True:
        yield repr(generator.random() * 100)


def write(directory, shape, form):
    instances, scrapes, files = SHAPES[shape]
    share = instances // files
    for file in range(files):
        generator = random.Random(9 * files + file)
        series = []
        for index in range(file * share, (file + 1) * share):
            for metric in range(METRICS):
                name = "%s_%d" % (NAMES[metric % len(NAMES)], metric // len(NAMES))
                labels = {"__name__": name, "instance": "node-%d:9100" % index, "job": "node"}
                if form == "json":
                    tail = '","name":"%s","labels":{%s}}\n' % (
                        name, ",".join('"%s":"%s"' % pair for pair in labels.items()))
                else:
                    tail = '%s{instance="%s",job="node"} ' % (name, labels["instance"])
                series.append((index % SCRAPE_SECONDS, tail, values(metric, generator)))
        series.sort(key=lambda one: one[0])  # stable: an instance's lines stay together
        suffix = {"json": "json", "text": "prom"}[form]
        with open(directory / f"{file}.{suffix}", "w") as out:
            for scrape in range(scrapes):
                base = START + timedelta(seconds=scrape * SCRAPE_SECONDS)
                times = [base + timedelta(seconds=second) for second in range(SCRAPE_SECONDS)]
                if form == "json":
                    heads = ['{"timestamp":"%s","value":"' % time.strftime("%Y-%m-%dT%H:%M:%SZ") for time in times]
                    out.write("".join([heads[second] + next(value) + tail for second, tail, value in series]))
                else:
                    tails = [" %d\n" % (time.timestamp() * 1000) for time in times]
                    out.write("".join([tail + next(value) + tails[second] for second, tail, value in series]))


def make(directory, names=NAMES_OF_FORMS):
    """Makes those of the names (`few-json`) that are not there yet."""
    for name in names:
        target = Path(directory) / name
        if target.exists():
            continue
        print(f"making input {name} …", file=sys.stderr)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f"{name}.partial.", dir=directory))
        try:
            write(partial, *name.rsplit("-", 1))
            partial.chmod(0o755)
            partial.rename(target)
        finally:  # a full disk, Ctrl-C: nothing of it stays
            shutil.rmtree(partial, ignore_errors=True)


def warm(directory):
    """Reads files once, so that the first to be measured does not wait for the disk more than the others."""
    for path in Path(directory).iterdir():
        with open(path, "rb", buffering=0) as file:
            while file.read(1 << 22):
                pass


def samples(shape):
    instances, scrapes, _ = SHAPES[shape]
    return instances * METRICS * scrapes


@functools.cache
def rows(shape, query):
    """Rows that windows of a query over a shape must give: of 1 m (`tumbling`, `series`), or 5 m every 10 s (`sliding`)."""
    instances, scrapes, _ = SHAPES[shape]
    size, slide = (300, 10) if query == "sliding" else (60, 60)
    # An instance is scraped at its own second; a window that begins at k * slide holds times up to k * slide + size - 1.
    count = 0
    for second in range(SCRAPE_SECONDS):
        mine = len(range(second, instances, SCRAPE_SECONDS))
        times = [scrape * SCRAPE_SECONDS + second for scrape in range(scrapes)]
        starts = {time // slide - back for time in times for back in range(size // slide)}
        count += mine * len(starts)
    return count * METRICS


if __name__ == "__main__":
    make(sys.argv[1], sys.argv[2:] or NAMES_OF_FORMS)
