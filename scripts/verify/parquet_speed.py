#!/usr/bin/env python3
"""What pyarrow takes for the tables of ParquetBenchmark.swift: parquet_pyarrow.py DIRECTORY COLUMN-BYTES"""
import os
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq

directory, column_bytes = sys.argv[1], int(sys.argv[2])
pa.set_cpu_count(1)
for codec in ["none", "snappy", "lz4", "zstd"]:
    ours = f"{directory}/{codec}.parquet"
    table = pq.read_table(ours)
    theirs = f"{directory}/theirs.parquet"
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        pq.write_table(table, theirs, compression=codec, compression_level=3 if codec == "zstd" else None)
        best = min(best, time.perf_counter() - started)
    print(f"pyarrow {pa.__version__}, {codec}: {column_bytes / best / 1e6:.0f} MB/s, file of {os.path.getsize(theirs)} bytes; "
          f"ours is {os.path.getsize(ours) / os.path.getsize(theirs):.2f} of it")
