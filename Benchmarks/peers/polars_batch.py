"""Polars' batch query by its streaming engine: `polars_batch.py QUERY INPUT OUTPUT WORKERS` (POLARS_MAX_THREADS is the workers)."""
import json
import sys
import time
from pathlib import Path

query, inputs, output, workers = sys.argv[1:5]
import polars as pl  # noqa: E402

Path(output).mkdir(parents=True)
start = time.monotonic()
value = pl.col("value")
aggregates = [value.len().cast(pl.Int64).alias("n"), value.sum().alias("s"), value.mean().alias("a"), value.min().alias("lo"),
              value.max().alias("hi"), value.std().alias("sd")]
samples = pl.scan_ndjson(
    sorted(Path(inputs).glob("*.json")),
    schema={"timestamp": pl.String, "value": pl.String, "name": pl.String, "labels": pl.Struct({"instance": pl.String})},
).select(
    pl.col("timestamp").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="ms").alias("window_start"),
    pl.col("value").cast(pl.Float64), "name", pl.col("labels").struct.field("instance").alias("instance"))
keys = ["name", "instance"]
if query == "sliding":
    rows = samples.group_by_dynamic("window_start", every="10s", period="5m", offset="-290s", group_by=keys).agg(aggregates)
else:
    rows = samples.group_by(pl.col("window_start").dt.truncate("1m"), *keys).agg(aggregates)
rows.sink_parquet(f"{output}/rows.parquet", compression="zstd")
print(json.dumps({"version": pl.__version__, "steadySeconds": time.monotonic() - start}))
