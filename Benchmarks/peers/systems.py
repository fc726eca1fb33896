"""The other engines: how each is installed and run, and where its work differs from ours."""
from dataclasses import dataclass, field


@dataclass(frozen=True)
class System:
    name: str
    title: str
    packages: tuple
    script: str
    notes: str
    queries: tuple = ("tumbling", "sliding", "series")
    # It emits a window when its watermark passes the end, and has none for the end of input.
    leaves_open: bool = False
    rounds_max: int = 3
    variables: tuple = field(default=())
    arguments: tuple = ()
    # Systems of one package share its environment.
    environment_name: str = ""

    def environment(self, python):
        return {name: value.format(python=python) for name, value in self.variables}


SYSTEMS = {system.name: system for system in [
    System("duckdb", "DuckDB, batch", ("duckdb",), "duckdb_batch.py",
           "one SQL statement over both files at once: no event-time order, no watermark, no checkpoint; Parquet (zstd) not "
           "fsynced; rows in any order"),
    System("polars", "Polars, batch", ("polars",), "polars_batch.py",
           "its streaming engine over both files at once, otherwise as DuckDB", variables=(("POLARS_MAX_THREADS", "2"),)),
    System("spark-batch", "Spark, batch", ("pyspark",), "spark.py",
           "local[2], 4 GiB; otherwise as DuckDB; the session's start counts as process, not as steady", rounds_max=1,
           arguments=("batch",), environment_name="pyspark"),
    System("spark-stream", "Spark Structured Streaming", ("pyspark",), "spark.py",
           "local[2]; file source, `availableNow`, state store and checkpoint on disk; a micro-batch of everything, so the "
           "watermark moves once; windows behind its last watermark stay open", rounds_max=1, arguments=("stream",),
           environment_name="pyspark", leaves_open=True),
    System("flink-batch", "Flink SQL, batch", ("apache-flink", "setuptools"), "flink.py",
           "a mini cluster in the process, parallelism 2; rows as CSV", rounds_max=1, arguments=("batch",),
           environment_name="apache-flink"),
    System("flink-stream", "Flink SQL, streaming", ("apache-flink", "setuptools"), "flink.py",
           "as batch, with checkpoints every 10 s; files are read in splits, so the watermark is a day behind and all windows "
           "close at the end", rounds_max=1, arguments=("stream",), environment_name="apache-flink"),
    System("bytewax", "Bytewax", ("bytewax", "pyarrow"), "bytewax_flow.py",
           "two processes of one worker; decoding and aggregates in Python; its clock is told of no lateness, and samples of one "
           "key come from one file in order; no recovery store", rounds_max=1),
]}
