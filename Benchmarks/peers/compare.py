#!/usr/bin/env python3
"""Compares two systems' rows, row by row: `compare.py QUERY LEFT RIGHT` prints one JSON object.

Rows are joined by (window_start, name, instance). Counts, minima and maxima must be equal; sums and averages may differ by
1e-12 of the sum of the samples' magnitudes (all values are >= 0, so of the sum itself), standard deviations by 1e-9 of
themselves plus 1e-11 of the mean: engines add in different orders. A sum of a window's few values in another order moves by some
1e-16 of it, so the tolerance is for that and no more; for deviations it is wider, as some engines take the difference of two large
sums. The largest differences are told. `--open-after MS` says that RIGHT leaves windows open which end after that time: it must
have none of their rows, and all others; how many LEFT has of them is told as `leftOpen`.

Empty or partial results do not pass: all of LEFT's counts together must be those of the input (`--samples`, in as many windows
as each is in), its rows `--rows` where that is told, and at least half of them must have been compared.
"""
import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

COLUMNS = ["window_start", "name", "instance", "n", "s", "a", "lo", "hi", "sd"]
MEASURES = COLUMNS[4:]
SIZES_MS = {"tumbling": 60_000, "sliding": 300_000, "series": 60_000}
COPIES = {"tumbling": 1, "sliding": 30, "series": 1}
SAMPLES = 2_000_000


def table(root):
    """The rows a system committed: what a manifest names where there is one, else all of its data files."""
    root = Path(root)
    manifests = sorted(root.glob("**/_manifest/[0-9]*.json"))
    if manifests:
        paths = [manifest.parent.parent / entry["path"] for manifest in manifests
                 for entry in json.loads(manifest.read_text())["entries"]]
    else:
        paths = [path for path in sorted(root.rglob("*")) if path.is_file() and path.stat().st_size > 0
                 and not any(part.startswith(("_", ".")) for part in path.relative_to(root).parts)]
    parquet = [path for path in paths if path.read_bytes()[:4] == b"PAR1"]
    tables = [pq.read_table(path) for path in parquet]
    names = csv.ReadOptions(column_names=COLUMNS)
    kinds = csv.ConvertOptions(column_types={"window_start": pa.timestamp("ms"), "n": pa.int64(),
                                             **{name: pa.float64() for name in MEASURES}},
                               null_values=["", "null"], strings_can_be_null=False)
    tables += [csv.read_csv(path, read_options=names, convert_options=kinds) for path in paths if path not in parquet]
    if not tables:
        sys.exit(f"no rows in {root}")
    return pa.concat_tables([normal(one) for one in tables])


def normal(one):
    columns = []
    for name in COLUMNS:
        column = one[name]
        if name == "window_start":
            column = pc.cast(pc.cast(column, pa.timestamp("ms", getattr(column.type, "tz", None)), safe=False), pa.int64())
        elif name in ("name", "instance"):
            column = pc.cast(column, pa.string())
        else:
            column = pc.cast(column, pa.int64() if name == "n" else pa.float64())
        columns.append(column)
    return pa.table(columns, names=COLUMNS)


def ordered(one):
    return one.sort_by([(name, "ascending") for name in COLUMNS[:3]])


def numbers(one, name):
    return one[name].to_numpy(zero_copy_only=False).astype(np.float64)


def where(one, row):
    start, name, instance = (one[column][row].as_py() for column in COLUMNS[:3])
    return f"{name} {instance} at {start}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("query", choices=SIZES_MS)
    arguments.add_argument("left")
    arguments.add_argument("right")
    arguments.add_argument("--open-after", type=int)
    arguments.add_argument("--samples", type=int, default=SAMPLES, help="in the rows of tumbling windows, all told")
    arguments.add_argument("--rows", type=int, help="that LEFT must have")
    told = arguments.parse_args()
    left, right = table(told.left), table(told.right)
    result = {"rows": right.num_rows, "leftOpen": 0, "problems": []}
    # A sample is in one tumbling window, or in 30 sliding ones.
    if pc.sum(left["n"]).as_py() != told.samples * COPIES[told.query]:
        result["problems"].append(f"the left rows hold {pc.sum(left['n'])} samples, not {told.samples} x {COPIES[told.query]}")
    if told.rows is not None and left.num_rows != told.rows:
        result["problems"].append(f"{left.num_rows} left rows, not {told.rows}")
    if told.open_after is not None:
        closed = left.filter(pc.less_equal(left["window_start"], told.open_after - SIZES_MS[told.query]))
        result["leftOpen"] = left.num_rows - closed.num_rows
        if closed.num_rows < left.num_rows / 2:
            result["problems"].append(f"only {closed.num_rows} rows of {left.num_rows} are closed")
        left = closed
    if left.num_rows != right.num_rows:
        result["problems"].append(f"{left.num_rows} rows against {right.num_rows}")
    else:
        left, right = ordered(left), ordered(right)
        for name in COLUMNS[:4]:
            if not left[name].equals(right[name]):
                result["problems"].append(f"`{name}` differs")
        scale = np.abs(numbers(left, "s"))
        allowed = {"s": 1e-12 * scale, "a": 1e-12 * scale, "lo": 0, "hi": 0,
                   "sd": 1e-9 * np.abs(np.nan_to_num(numbers(left, "sd"))) + 1e-11 * np.abs(numbers(left, "a"))}
        for name in MEASURES:
            mine, theirs = numbers(left, name), numbers(right, name)
            if not np.array_equal(np.isnan(mine), np.isnan(theirs)):
                result["problems"].append(f"`{name}` is missing in other rows")
                continue
            difference = np.abs(np.nan_to_num(mine) - np.nan_to_num(theirs))
            result[f"largest difference of {name}"] = float(difference.max(initial=0))
            wrong = ~(difference <= allowed[name])  # true also where a tolerance is no number
            if np.any(wrong):
                row = int(np.argmax(np.where(wrong, difference, -1)))
                result["problems"].append(f"`{name}`: {mine[row]} against {theirs[row]} in {where(left, row)}")
    result["equal"] = not result["problems"]
    print(json.dumps(result, default=str))


main()
