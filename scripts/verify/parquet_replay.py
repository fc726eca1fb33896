#!/usr/bin/env python3
"""Replays Parquet: other people's by the DuckDB line of docs/file-formats.md, files of our form made by pyarrow, and what our
own sink wrote, with and without folders, against the same rows as `sample-json`.

    parquet_replay.py PATH-TO-stream-job
"""
import json
import re
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

JOB = """
name: rooms
sources:
  metrics: {kafka: {topics: [rooms]}, format: prometheus, watermark: {delay: 0s}}
queries:
  - name: q
    window: {size: 1m}
    groupBy: [name, room]
    aggregates: {n: count(), total: sum(value)}
    sinks: [{jsonl: {path: rows}}]
"""
START = 1_767_225_600_000


def replay(program, directory, path, options=()):
    out = directory / f"out-{path.name}"
    subprocess.run([program, "replay", directory / "job.yaml", "--input", f"metrics={path}", "--output", out,
                    "--workers", "2", *options], check=True, capture_output=True, cwd=directory)
    lines = []
    for document in sorted((out / "rows/_manifest").glob("[0-9]*.json")):
        for entry in json.loads(document.read_text())["entries"]:
            lines += (out / "rows" / entry["path"]).read_bytes()[:entry["bytes"]].decode().splitlines()
    return {(row["window_start"], row["name"], row.get("room")): (row["n"], row["total"])
            for row in map(json.loads, lines)}


def yaml_job(text, directory):
    path = directory / "first.yaml"
    path.write_text(text)
    return path


def sums(samples):
    result = {}
    for time, name, room, value in samples:
        start = datetime.fromtimestamp((time // 60_000 * 60_000) / 1000, timezone.utc)
        key = (start.strftime("%Y-%m-%dT%H:%M:%S.000Z"), name, room)
        n, total = result.get(key, (0, 0.0))
        result[key] = (n + 1, total + value)
    return result


def main():
    program = Path(sys.argv[1]).resolve()
    docs = (Path(__file__).parents[2] / "docs/file-formats.md").read_text()
    statement = re.search(r'duckdb -c "(COPY .*)"', docs).group(1)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "job.yaml").write_text(JOB)
        rows = [(START + 7_000 * i, f"r{i % 4}", float(i)) for i in range(2000)]

        # Somebody else's table, as the documentation says.
        pq.write_table(pa.table({"time": pa.array([r[0] for r in rows], pa.timestamp("ms", tz="UTC")),
                                 "room": [r[1] for r in rows], "value": [r[2] for r in rows]}),
                       directory / "rooms.parquet")
        text = statement.replace("'rooms.parquet'", f"'{directory}/rooms.parquet'")
        duckdb.sql(text.replace("'rooms.jsonl'", f"'{directory}/rooms.jsonl'"))
        read = replay(program, directory, directory / "rooms.jsonl", ["--set", "sources.metrics.format=sample-json"])
        assert read == sums((t, "room_temperature", r, v) for t, r, v in rows), "the DuckDB line gives other samples"
        refused = subprocess.run([program, "replay", "job.yaml", "--input", "metrics=rooms.parquet", "--output", "no"],
                                 capture_output=True, text=True, cwd=directory)
        assert refused.returncode == 2 and "not written by this program" in refused.stderr, refused.stderr

        # A table of our form from another writer.
        schema = pa.schema([pa.field("window_start", pa.timestamp("ms", tz="UTC"), False),
                            pa.field("window_end", pa.timestamp("ms", tz="UTC"), False), ("room", pa.string()),
                            ("heat", pa.float64()), ("n", pa.int64())])
        columns = [[r[0] - 1000 for r in rows], [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows],
                   [3] * len(rows)]
        for index, options in enumerate([{}, {"compression": "gzip", "row_group_size": 100},
                                         {"use_dictionary": False, "data_page_version": "2.0"}]):
            group = options.pop("row_group_size", None)
            path = directory / f"own-{index}.parquet"
            with pq.ParquetWriter(path, schema, **options) as writer:
                writer.write_table(pa.table(columns, schema=schema), row_group_size=group)
                writer.add_key_value_metadata({"query": "rooms"})
            read = replay(program, directory, path)
            expected = sums([(t, "rooms_heat", r, v) for t, r, v in rows] + [(t, "rooms_n", r, 3.0) for t, r, _ in rows])
            assert read == expected, f"{path.name} gives other samples"

        # What our own sink wrote, against the same rows as samples in JSON.
        first = yaml_job("""
name: first
sources:
  metrics: {kafka: {topics: [m]}, format: prometheus}
queries:
  - name: load-5m
    window: {size: 5m, slide: 1m}
    groupBy: [instance]
    aggregates: {n: count(), mean: avg(value)}
    sinks: [{kafka: {topic: samples, format: sample-json}}, {parquet: {path: flat}},
            {parquet: {path: folders, partitionBy: [instance]}}]
""", directory)
        lines = "".join(f'load1{{instance="n{i % 3}:9100"}} {i % 17} {START + i * 1000}\n' for i in range(6000))
        (directory / "load.prom").write_text(lines)
        out = directory / "first-out"
        subprocess.run([program, "replay", first, "--input", "metrics=load.prom", "--output", out], check=True,
                       capture_output=True, cwd=directory)
        samples = replay(program, directory, out / "samples", ["--set", "sources.metrics.format=sample-json",
                                                               "--set", "queries.q.groupBy=[name, instance]"])
        assert len(samples) > 100
        for name in ["flat", "folders"]:
            read = replay(program, directory, out / name, ["--set", "queries.q.groupBy=[name, instance]"])
            assert read == samples, f"{name} gives other samples than sample-json"
    print("parquet replay: the DuckDB line, its refusal, 3 files of our form, 2 folders of our own: equal")


main()
