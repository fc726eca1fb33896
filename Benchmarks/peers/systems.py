"""The other engines: how each is installed and run, how long it may take, and where its work differs from ours."""
from dataclasses import dataclass


@dataclass(frozen=True)
class System:
    name: str
    title: str
    # From PyPI, of the version that docs/performance.md tells of.
    packages: tuple
    script: str
    notes: str
    # A run of the whole input is stopped after these seconds of wall time (a quiet machine of two cores takes a third or less).
    limit_seconds: int
    queries: tuple = ("tumbling", "sliding", "series")
    # It emits a window when its watermark passes the end, and has none for the end of input.
    leaves_open: bool = False
    rounds_max: int = 3
    variables: tuple = ()
    arguments: tuple = ()
    # Systems of one package share its environment.
    environment_name: str = ""
    needs_java: bool = False


SPARK, FLINK = ("pyspark==4.3.0",), ("apache-flink==2.3.0", "setuptools<81")
SYSTEMS = {system.name: system for system in [
    System("duckdb", "DuckDB, batch", ("duckdb==2.0.0",), "duckdb_batch.py",
           "one SQL statement over both files at once, two threads: no event-time order, no watermark, no checkpoint; a sample "
           "is repeated once for each sliding window; Parquet (zstd) not fsynced; rows in any order", 120),
    System("polars", "Polars, batch", ("polars==2.1.0",), "polars_batch.py",
           "its streaming engine over both files at once, two threads, `group_by_dynamic` for sliding windows; otherwise as DuckDB",
           120, variables=(("POLARS_MAX_THREADS", "2"),)),
    System("spark-batch", "Spark SQL, batch", SPARK, "spark.py",
           "`local[2]`, heap of 4 GiB, its own JSON source and `window`, no Python in the data's way: no event-time order, no "
           "checkpoint; Parquet (zstd) not fsynced; rows in any order", 300, rounds_max=1, arguments=("batch",),
           environment_name="pyspark", needs_java=True),
    System("spark-stream", "Spark Structured Streaming", SPARK, "spark.py",
           "as batch, with a file source, `availableNow`, state on the heap and a checkpoint on disk; all files are one "
           "micro-batch (one file a batch would make all of the second late), so the watermark moves once, at its end; windows "
           "behind the last watermark stay open: `left open`, the others are compared", 600, rounds_max=1, arguments=("stream",),
           environment_name="pyspark", leaves_open=True, needs_java=True),
    System("flink-batch", "Flink SQL, batch", FLINK, "flink.py",
           "a mini cluster in the process, parallelism 2, filesystem connector, `TUMBLE` and `HOP`, no Python in the data's way: "
           "no checkpoint; rows go out as CSV, as the package from PyPI has no Parquet", 300, rounds_max=1, arguments=("batch",),
           environment_name="apache-flink", needs_java=True),
    System("flink-stream", "Flink SQL, streaming", FLINK, "flink.py",
           "as batch, with state on the heap and checkpoints every 10 s; it reads files in splits side by side, so most samples "
           "would be late: its watermark is a day behind, and all windows close at the end of input", 600, rounds_max=1,
           arguments=("stream",), environment_name="apache-flink", needs_java=True),
    System("bytewax", "Bytewax", ("bytewax==0.21.1", "pyarrow==26.0.1"), "bytewax_flow.py",
           "two processes of one worker (its threads share Python's lock), its windowing operators; decoding and aggregates are "
           "Python; a watermark for each key, by event time only (with its usual clock a pause makes samples late); no recovery "
           "store; Parquet (zstd) not fsynced", 1200, rounds_max=1),
]}
