"""Spark: `spark.py QUERY INPUT OUTPUT WORKERS batch|stream`. Structured Streaming reads the files as a file source, with a
checkpoint, and takes all that is there (`availableNow`). State is in the default store, on the heap with a file beside it: RocksDB
took a fifth more CPU time here."""
import json
import shutil
import sys
import time

query, inputs, output, workers, mode = sys.argv[1:6]
import pyspark  # noqa: E402
from pyspark.sql import SparkSession, functions as F  # noqa: E402

spark = (
    SparkSession.builder.master(f"local[{workers}]").config("spark.sql.shuffle.partitions", workers)
    .config("spark.sql.session.timeZone", "UTC").config("spark.driver.memory", "4g").config("spark.ui.enabled", "false")
    .config("spark.sql.parquet.compression.codec", "zstd").config("spark.log.level", "ERROR").getOrCreate())
SCHEMA = "timestamp TIMESTAMP, value STRING, name STRING, labels STRUCT<instance: STRING>"
start = time.monotonic()
reader = spark.readStream if mode == "stream" else spark.read
samples = reader.schema(SCHEMA).json(inputs).select("timestamp", F.col("value").cast("double").alias("value"), "name",
                                                    F.col("labels.instance").alias("instance"))
if mode == "stream":
    samples = samples.withWatermark("timestamp", "0 seconds")
window = F.window("timestamp", "5 minutes", "10 seconds") if query == "sliding" else F.window("timestamp", "1 minute")
rows = samples.groupBy(window.alias("w"), "name", "instance").agg(
    F.count("value").alias("n"), F.sum("value").alias("s"), F.avg("value").alias("a"), F.min("value").alias("lo"),
    F.max("value").alias("hi"), F.stddev_samp("value").alias("sd"),
).select(F.col("w.start").alias("window_start"), "name", "instance", "n", "s", "a", "lo", "hi", "sd")
if mode == "stream":
    checkpoint = f"{output}-checkpoint"
    shutil.rmtree(checkpoint, ignore_errors=True)
    rows.writeStream.format("parquet").option("path", output).option("checkpointLocation", checkpoint).outputMode(
        "append").trigger(availableNow=True).start().awaitTermination()
else:
    rows.write.parquet(output)
seconds = time.monotonic() - start
spark.stop()
print(json.dumps({"version": pyspark.__version__, "steadySeconds": seconds}))
