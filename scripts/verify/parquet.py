#!/usr/bin/env python3
"""Reads our Parquet files with other people's readers.

    parquet.py PATH-TO-parquet-tables PATH-TO-stream-job [--seed N] [--tables N]

Random tables (random schemas, nulls, empty and huge texts, NaN, both zeros, extremes, 0 to 100,000 rows, every codec) must
have equal rows and types in pyarrow and DuckDB; statistics and page indexes must bound what is there; sizes must be within
10 % of what pyarrow writes for the same table with the same codec. Where pyspark is installed, Spark reads some of them too.

Then a job is replayed into Parquet (with folders and without) and JSON lines, and the recipes of docs/parquet.md, taken from
that page, must each find its rows.
"""
import argparse
import base64
import json
import math
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
TYPES = {"timestamp": pa.timestamp("ms", tz="UTC"), "text": pa.string(), "double": pa.float64(), "int64": pa.int64(),
         "boolean": pa.bool_()}
DUCKDB_TYPES = {"timestamp": "TIMESTAMP WITH TIME ZONE", "text": "VARCHAR", "double": "DOUBLE", "int64": "BIGINT",
                "boolean": "BOOLEAN"}


def bits(value):
    return None if value is None else struct.unpack("<Q", struct.pack("<d", value))[0]


def expected(column):
    """The cells as values that compare as they should: doubles by their bits, times in ms, texts as bytes."""
    if column["type"] == "double":
        return [None if cell is None else int(cell, 16) for cell in column["cells"]]
    if column["type"] == "text":
        return [None if cell is None else base64.b64decode(cell) for cell in column["cells"]]
    return column["cells"]


def from_arrow(column, kind):
    if kind == "timestamp":
        return column.cast(pa.int64()).to_pylist()
    cells = column.to_pylist()
    if kind == "double":
        return [bits(cell) for cell in cells]
    return [None if cell is None else cell.encode() for cell in cells] if kind == "text" else cells


def same_doubles(a, b):
    """NaN is NaN, whatever its bits: not every reader keeps them."""
    def is_nan(word):
        return word is not None and word & 0x7FF0000000000000 == 0x7FF0000000000000 and word & 0xFFFFFFFFFFFFF != 0
    return len(a) == len(b) and all(x == y or (is_nan(x) and is_nan(y)) for x, y in zip(a, b))


def check_arrow(path, table):
    read = pq.read_table(path)
    assert read.num_columns == len(table["columns"])
    for column in table["columns"]:
        field = read.schema.field(column["name"])
        assert field.type == TYPES[column["type"]], (field, column["type"])
        cells = from_arrow(read.column(column["name"]), column["type"])
        assert cells == expected(column), f"{path}: pyarrow reads {column['name']} otherwise"
    metadata = pq.read_metadata(path)
    assert metadata.metadata[b"job"] == b"verify"
    return read


def check_duckdb(path, table):
    relation = duckdb.sql(f"SELECT * FROM read_parquet('{path}')")
    assert [str(kind) for kind in relation.types] == [DUCKDB_TYPES[c["type"]] for c in table["columns"]], relation.types
    # Times as numbers, doubles and texts as they are.
    parts = [f'epoch_ms("{c["name"]}")' if c["type"] == "timestamp" else f'"{c["name"]}"' for c in table["columns"]]
    rows = duckdb.sql(f"SELECT {', '.join(parts)} FROM read_parquet('{path}')").fetchall()
    for index, column in enumerate(table["columns"]):
        cells = [row[index] for row in rows]
        if column["type"] == "double":
            assert same_doubles([bits(cell) for cell in cells], expected(column)), f"{path}: DuckDB {column['name']}"
            continue
        if column["type"] == "text":
            cells = [None if cell is None else cell.encode() for cell in cells]
        assert cells == expected(column), f"{path}: DuckDB reads {column['name']} otherwise"
    # Filters use statistics, page indexes and dictionaries: each must find what is there.
    for column in table["columns"]:
        cells = [cell for cell in column["cells"] if cell is not None]
        if column["type"] == "int64" and cells:
            wanted = random.choice(cells)
            found = duckdb.sql(f"SELECT count(*) FROM read_parquet('{path}') WHERE \"{column['name']}\" = {wanted}")
            assert found.fetchall()[0][0] == cells.count(wanted), f"{path}: DuckDB filters {column['name']} otherwise"


def check_statistics(path, table):
    metadata = pq.read_metadata(path)
    first = 0
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for index, column in enumerate(table["columns"]):
            kind = column["type"]
            chunk = row_group.column(index)
            statistics = chunk.statistics
            cells = expected(column)[first:first + row_group.num_rows]
            values = [cell for cell in cells if cell is not None]
            where = f"{path}: row group {group}, {column['name']}"
            assert statistics.null_count == len(cells) - len(values), where
            if kind == "double":
                values = [struct.unpack("<d", struct.pack("<Q", cell))[0] for cell in values]
                values = [value for value in values if not math.isnan(value)]
            # A text that begins with the last of all characters, over and over, has no short upper bound.
            is_unbounded = kind == "text" and values and max(values).startswith(16 * "\U0010ffff".encode()) \
                and len(max(values)) > 64
            assert statistics.has_min_max == (bool(values) and not is_unbounded), where
            assert chunk.has_offset_index, where
            if not statistics.has_min_max:
                continue
            low, high = statistics.min, statistics.max
            if kind == "timestamp":
                low, high = [(value - EPOCH) // timedelta(milliseconds=1) for value in (low, high)]
            if kind == "text":
                low, high = low.encode(), high.encode()
                least, most = min(values), max(values)
                assert low == least if len(least) <= 64 else least.startswith(low) and len(low) > 60, where
                assert high == most if len(most) <= 64 else high > most or high == most, where
                assert len(high) <= 64 or high == most, where
            else:
                assert (low, high) == (min(values), max(values)), (where, low, high)
                if kind == "double":
                    assert low != 0 or math.copysign(1, low) < 0, f"{where}: a least zero must be -0.0"
                    assert high != 0 or math.copysign(1, high) > 0, f"{where}: a greatest zero must be +0.0"
        first += row_group.num_rows
    assert first == metadata.num_rows


def check_size(path, table, read, scratch, sizes):
    """Only where the settings are the defaults, and there is something to encode: a few long texts over and over shrink to
    nothing, and by how much is the compressor's luck with their order."""
    if read.num_rows < 5000 or not table["defaults"]:
        return
    pq.write_table(read, scratch, compression=table["codec"], compression_level=3 if table["codec"] == "ZSTD" else None)
    ours, theirs = Path(path).stat().st_size, Path(scratch).stat().st_size
    metadata = pq.ParquetFile(scratch).metadata
    plain = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    if theirs * 10 < plain:
        return
    sizes.append((ours / theirs, ours, theirs, table["codec"], path))


def check_tables(program, seed, count, directory):
    subprocess.run([program, directory, str(seed), str(count)], check=True)
    sizes = []
    rows = 0
    for number in range(count):
        path = str(directory / f"{number}.parquet")
        table = json.loads((directory / f"{number}.json").read_text())
        read = check_arrow(path, table)
        rows += read.num_rows
        check_duckdb(path, table)
        check_statistics(path, table)
        check_size(path, table, read, directory / "theirs.parquet", sizes)
    ours, theirs = sum(size[1] for size in sizes), sum(size[2] for size in sizes)
    worst = max(sizes)
    assert len(sizes) > 2, "too few tables to compare sizes"
    print(f"{count} random tables of {rows} rows are the same in pyarrow {pa.__version__} and DuckDB {duckdb.__version__}; "
          f"{len(sizes)} large ones take {ours / theirs:.2f} of pyarrow's bytes, none more than {worst[0]:.2f}")
    assert worst[0] <= 1.1, f"more than 10 % larger than pyarrow's: {worst}"


def check_spark(directory, count):
    """Spark's own reader, where there is one (pip install pyspark, and Java)."""
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        print("no pyspark: Spark was not asked")
        return
    if shutil.which("java") is None:
        print("no java: Spark was not asked")
        return
    spark = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
             .config("spark.sql.session.timeZone", "UTC").config("spark.driver.bindAddress", "127.0.0.1")
             .config("spark.driver.host", "127.0.0.1").config("spark.log.level", "ERROR").getOrCreate())
    types = {"timestamp": "timestamp", "text": "string", "double": "double", "int64": "bigint", "boolean": "boolean"}
    asked = 0
    for number in range(0, count, 3):
        table = json.loads((directory / f"{number}.json").read_text())
        if len(table["columns"][0]["cells"]) > 20_000:
            continue
        frame = spark.read.parquet(str(directory / f"{number}.parquet"))
        assert [kind for _, kind in frame.dtypes] == [types[c["type"]] for c in table["columns"]], frame.dtypes
        columns = [f"unix_millis(`{c['name']}`) AS `{c['name']}`" if c["type"] == "timestamp" else f"`{c['name']}`"
                   for c in table["columns"]]
        rows = frame.selectExpr(*columns).collect()
        for index, column in enumerate(table["columns"]):
            cells = [row[index] for row in rows]
            if column["type"] == "double":
                assert same_doubles([bits(cell) for cell in cells], expected(column)), f"{number}: Spark {column['name']}"
                continue
            if column["type"] == "text":
                cells = [None if cell is None else cell.encode() for cell in cells]
            assert cells == expected(column), f"{number}: Spark reads {column['name']} otherwise"
        asked += 1
    print(f"Spark {spark.version} reads {asked} of them the same")
    spark.stop()


JOB = """
name: recipes
sources:
  metrics: {kafka: {topics: [metrics]}, format: prometheus, watermark: {delay: 0s}}
queries:
  - name: cpu
    window: {size: 10s}
    groupBy: [node, mode]
    aggregates: {n: count(), busy: avg(value), top: max(value)}
    derive: {hot: busy > 0.5}
    sinks: [{parquet: {path: %s, partitionBy: [%s], targetFileSize: 1}}, {jsonl: {path: out/cpu-json}}]
"""


def recipes():
    """The fenced blocks of docs/parquet.md, by what they read and in what language."""
    text = (Path(__file__).resolve().parent.parent.parent / "docs" / "parquet.md").read_text()
    return re.findall(r"```(sql|python)\n(.*?)```", text, flags=re.S)


def check_recipes(program, directory):
    chance = random.Random(7)
    nodes = ["a", "b/c", "d=e", "ü %"]
    lines = [f'cpu{{node="{chance.choice(nodes)}",mode="{chance.choice(["user", "idle"])}"}} {chance.random()} {1767225600000 + i * 100}'
             for i in range(20_000)]
    (directory / "in.prom").write_text("\n".join(lines) + "\n")
    for folders in ["", "node", "node, mode"]:
        shutil.rmtree(directory / "out", ignore_errors=True)
        (directory / "job.yaml").write_text(JOB % ("out/cpu", folders))
        run = subprocess.run([program, "replay", "job.yaml", "--input", "metrics=in.prom", "--output", ".", "--overwrite"],
                             cwd=directory, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        rows = [json.loads(line) for file in sorted(directory.glob("out/cpu-json/*.jsonl")) for line in file.open()]
        busy = {}
        for row in rows:
            busy.setdefault(row["node"], []).append(row["busy"])
        # What a killed process may leave: files that no manifest names.
        (directory / "out/cpu/part-00009999-x.1.parquet").write_bytes(b"no Parquet at all")
        (directory / "out/cpu/.part-00009999-x.2.parquet").write_bytes(b"")
        checked = 0
        for language, block in recipes():
            if language == "sql":
                found = duckdb_in(directory, block)
                if "avg(busy)" in block:
                    assert [row[0] for row in found] == sorted(busy), found
                    assert all(math.isclose(row[1], sum(busy[row[0]]) / len(busy[row[0]])) for row in found), found
                else:
                    assert found == [(node, max(busy[node])) for node in sorted(busy)], found
            else:
                found = python_in(directory, block)
                got = found if isinstance(found, list) else found.to_pylist()
                assert sorted((row["node"], row["mode"], row["busy"]) for row in got) == \
                    sorted((row["node"], row["mode"], row["busy"]) for row in rows)
            checked += 1
        assert checked == 4, f"docs/parquet.md has {checked} recipes"
        documents = sorted(directory.glob("out/cpu/_manifest/[0-9]*.json"))
        named = [entry["path"] for document in documents for entry in json.loads(document.read_text())["entries"]]
        print(f"recipes of docs/parquet.md read {len(rows)} rows in {len(named)} files, folders: {folders or 'none'}")


def duckdb_in(directory, block):
    connection = duckdb.connect()
    rows = []
    for statement in block.replace("'out/", f"'{directory}/out/").strip().split(";"):
        if statement.strip():
            result = connection.execute(statement)
            rows = result.fetchall() if statement.strip().startswith("SELECT") else rows
    return rows


def python_in(directory, block):
    names = {}
    exec(block.replace('"out/', f'"{directory}/out/'), names)
    return names["rows"]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("tables_program")
    arguments.add_argument("program", type=lambda path: str(Path(path).resolve()))
    arguments.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    arguments.add_argument("--tables", type=int, default=150)
    options = arguments.parse_args()
    print(f"seed {options.seed}")
    random.seed(options.seed)
    with tempfile.TemporaryDirectory() as directory:
        check_tables(options.tables_program, options.seed, options.tables, Path(directory))
        check_spark(Path(directory), options.tables)
    with tempfile.TemporaryDirectory() as directory:
        check_recipes(options.program, Path(directory))


if __name__ == "__main__":
    sys.exit(main())
