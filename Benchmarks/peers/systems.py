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

    def environment(self, python):
        return {name: value.format(python=python) for name, value in self.variables}


SYSTEMS = {system.name: system for system in [
    System("duckdb", "DuckDB, batch", ("duckdb",), "duckdb_batch.py",
           "one SQL statement over both files at once: no event-time order, no watermark, no checkpoint; Parquet (zstd) not "
           "fsynced; rows in any order"),
]}
