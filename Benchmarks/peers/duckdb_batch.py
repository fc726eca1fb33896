"""DuckDB's batch query: `duckdb_batch.py QUERY INPUT OUTPUT WORKERS`. Columns are declared, so nothing is guessed. For sliding
windows each sample is repeated once for each of its windows (aggregating to 10 s panes first and repeating those took a
quarter more CPU time on this input: with a sample every 15 s there is less than one a pane)."""
import json
import sys
import time
from pathlib import Path

query, inputs, output, workers = sys.argv[1:5]
import duckdb  # noqa: E402  (its import belongs to the process, not to the steady part)

COLUMNS = "{timestamp: 'TIMESTAMP', value: 'DOUBLE', name: 'VARCHAR', labels: 'STRUCT(instance VARCHAR)'}"
SOURCE = f"read_json('{inputs}/*.json', format = 'newline_delimited', columns = {COLUMNS})"
AGGREGATES = ("count(*) AS n, sum(value) AS s, avg(value) AS a, min(value) AS lo, max(value) AS hi, "
              "stddev_samp(value) AS sd")
STATEMENTS = {
    "tumbling": f"""SELECT time_bucket(INTERVAL 1 MINUTE, timestamp) AS window_start, name, labels.instance AS instance,
        {AGGREGATES} FROM {SOURCE} GROUP BY ALL""",
    "sliding": f"""SELECT time_bucket(INTERVAL 10 SECOND, timestamp) - k * INTERVAL 10 SECOND AS window_start, name,
        labels.instance AS instance, {AGGREGATES} FROM {SOURCE}, range(30) AS shifts(k) GROUP BY ALL""",
}
STATEMENTS["series"] = STATEMENTS["tumbling"]

Path(output).mkdir(parents=True)
connection = duckdb.connect()
connection.sql(f"SET threads = {workers}")
connection.sql("SET preserve_insertion_order = false")
start = time.monotonic()
connection.sql(f"COPY ({STATEMENTS[query]}) TO '{output}/rows.parquet' (FORMAT parquet, COMPRESSION zstd)")
print(json.dumps({"version": duckdb.__version__, "steadySeconds": time.monotonic() - start}))
