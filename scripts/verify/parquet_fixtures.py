#!/usr/bin/env python3
"""Writes the small Parquet files of Tests/ConnectorsTests/Files/Parquet/Fixtures with pyarrow, one for each encoding, page
kind and codec that our own writer may not use, and what they hold as JSON.

    parquet_fixtures.py DIRECTORY
"""
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 60
ROLES = "window_start,window_end,key,key,aggregate,aggregate,aggregate,aggregate,derived"
VARIANTS = {
    "plain-v1": dict(use_dictionary=False, compression="none", data_page_version="1.0"),
    "plain-v2": dict(use_dictionary=False, compression="none", data_page_version="2.0"),
    "dictionary-snappy-v1": dict(use_dictionary=True, compression="snappy", data_page_version="1.0"),
    "dictionary-zstd-v2": dict(use_dictionary=True, compression="zstd", data_page_version="2.0"),
    "gzip": dict(use_dictionary=True, compression="gzip"),
    "lz4-raw": dict(use_dictionary=True, compression="lz4"),
    "deltas": dict(use_dictionary=False, compression="none", column_encoding={
        "window_start": "DELTA_BINARY_PACKED", "window_end": "DELTA_BINARY_PACKED", "node": "DELTA_BYTE_ARRAY",
        "mode": "DELTA_LENGTH_BYTE_ARRAY", "count": "DELTA_BINARY_PACKED", "small": "DELTA_BINARY_PACKED"}),
    "split-streams": dict(use_dictionary=False, compression="zstd", column_encoding={
        "busy": "BYTE_STREAM_SPLIT", "narrow": "BYTE_STREAM_SPLIT"}),
    "checksums": dict(use_dictionary=True, compression="zstd", write_page_checksum=True),
    "many-groups": dict(row_group_size=7, data_page_size=64, compression="snappy"),
}


def table():
    start = 1_767_225_600_000
    rows = range(ROWS)
    columns = {
        "window_start": pa.array([start + 1000 * (i // 3) for i in rows], pa.timestamp("ms", tz="UTC")),
        "window_end": pa.array([start + 1000 * (i // 3) + 1000 for i in rows], pa.timestamp("ms", tz="UTC")),
        "node": pa.array([None if i % 7 == 3 else f"node-{i % 5}" for i in rows], pa.string()),
        "mode": pa.array([["user", "system", "idlé"][i % 3] for i in rows], pa.string()),
        "count": pa.array([None if i % 11 == 5 else (i * i * 7919) % 100003 - 500 for i in rows], pa.int64()),
        "small": pa.array([i - 30 for i in rows], pa.int32()),
        "busy": pa.array([None if i % 13 == 1 else [float("inf"), -0.0, i / 7][i % 3] for i in rows], pa.float64()),
        "narrow": pa.array([i / 4 for i in rows], pa.float32()),
        "up": pa.array([None if i % 5 == 4 else i % 2 == 0 for i in rows], pa.bool_()),
    }
    fields = [pa.field(name, array.type, nullable=name not in ("window_start", "window_end"))
              for name, array in columns.items()]
    return pa.table(list(columns.values()), schema=pa.schema(fields))


def main():
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    rows = table()
    for name, options in VARIANTS.items():
        group = options.pop("row_group_size", None)
        with pq.ParquetWriter(directory / f"{name}.parquet", rows.schema, store_schema=False, **options) as writer:
            writer.write_table(rows, row_group_size=group)
            writer.add_key_value_metadata({"query": "cpu", "roles": ROLES})
    cells = {}
    for name in rows.column_names:
        column = rows.column(name)
        cells[name] = column.cast(pa.int64()).to_pylist() if name.startswith("window") else [
            "+Inf" if cell == float("inf") else cell for cell in column.to_pylist()]
    (directory / "cells.json").write_text(json.dumps(cells) + "\n")


main()
