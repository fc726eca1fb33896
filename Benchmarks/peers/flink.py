"""Flink by its Table API: `flink.py QUERY INPUT OUTPUT WORKERS batch|stream`. All of the job runs in the JVM; rows go out as CSV, as
the package from PyPI has no Parquet format."""
import json
import shutil
import sys
import time
from importlib.metadata import version
from pathlib import Path

query, inputs, output, workers, mode = sys.argv[1:6]
from pyflink.common import Configuration  # noqa: E402
from pyflink.table import EnvironmentSettings, TableEnvironment  # noqa: E402

# Sorts and hash tables of batch mode spill to disk with the 128 MiB that a local cluster has otherwise.
configuration = Configuration()
configuration.set_string("taskmanager.memory.managed.size", "1g")
configuration.set_string("taskmanager.numberOfTaskSlots", workers)
configuration.set_string("pipeline.object-reuse", "true")
settings = EnvironmentSettings.new_instance().with_configuration(configuration)
tables = TableEnvironment.create((settings.in_streaming_mode() if mode == "stream" else settings.in_batch_mode()).build())
tables.get_config().set("parallelism.default", workers)
tables.get_config().set("table.local-time-zone", "UTC")
if mode == "stream":
    checkpoint = f"{output}-checkpoint"
    shutil.rmtree(checkpoint, ignore_errors=True)
    tables.get_config().set("execution.checkpointing.interval", "10 s")
    tables.get_config().set("execution.checkpointing.dir", Path(checkpoint).resolve().as_uri())
# Files are read in splits, side by side: without a delay most samples would be late.
delay = " - INTERVAL '1' DAY" if mode == "stream" else ""
start = time.monotonic()
tables.execute_sql(f"""
    CREATE TABLE metrics (`timestamp` TIMESTAMP_LTZ(3), `value` STRING, name STRING, labels ROW<instance STRING>,
        v AS CAST(`value` AS DOUBLE), instance AS labels.instance, WATERMARK FOR `timestamp` AS `timestamp`{delay})
    WITH ('connector' = 'filesystem', 'path' = '{Path(inputs).resolve().as_uri()}', 'format' = 'json',
        'json.timestamp-format.standard' = 'ISO-8601')""")
tables.execute_sql(f"""
    CREATE TABLE windows (window_start TIMESTAMP(3), name STRING, instance STRING, n BIGINT, s DOUBLE, a DOUBLE, lo DOUBLE,
        hi DOUBLE, sd DOUBLE)
    WITH ('connector' = 'filesystem', 'path' = '{Path(output).resolve().as_uri()}', 'format' = 'csv',
        'csv.disable-quote-character' = 'true')""")
window = ("HOP(TABLE metrics, DESCRIPTOR(`timestamp`), INTERVAL '10' SECOND, INTERVAL '5' MINUTE)" if query == "sliding"
          else "TUMBLE(TABLE metrics, DESCRIPTOR(`timestamp`), INTERVAL '1' MINUTE)")
tables.execute_sql(f"""
    INSERT INTO windows SELECT window_start, name, instance, COUNT(*), SUM(v), AVG(v), MIN(v), MAX(v), STDDEV_SAMP(v)
    FROM TABLE({window}) GROUP BY window_start, window_end, name, instance""").wait()
print(json.dumps({"version": version("apache-flink"), "steadySeconds": time.monotonic() - start}))
