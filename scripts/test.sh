#!/usr/bin/env bash
# Everything that must hold, on a bare Debian with Swift: installs what is missing, then checks format, warnings,
# example jobs, results against independent recomputation, memory, and runs the tests. Fails if any of it fails.
#
#   STREAM_JOB_TEST_QUICK=1 scripts/test.sh     leaves out what takes long (the release build and what runs on it)
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:/opt/swift/usr/bin"
quick=${STREAM_JOB_TEST_QUICK:-}
started=$SECONDS

section() { printf '\n== %s (%d s)\n' "$*" $((SECONDS - started)); }

section "dependencies"
scripts/install-deps.sh --tests

section "format"
scripts/format.sh --check

section "docker-compose.kafka.yml"
docker-compose -f docker-compose.kafka.yml config > /dev/null
echo "accepted by docker-compose config (no container is started)"

if [ -z "$quick" ]; then
    section "release build, every warning an error"
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    # A scratch path of its own: a warning of an earlier build would not show again in an incremental one.
    if ! swift build -c release --scratch-path .build/checked --product stream-job -Xswiftc -warnings-as-errors \
        > "$log" 2>&1 < /dev/null; then
        cat "$log"
        exit 1
    fi
    if grep -E 'warning:' "$log"; then exit 1; fi
    tail -n 1 "$log"
    program=$PWD/.build/checked/release/stream-job

    section "example jobs"
    "$program" validate jobs/*.yaml

    section "windows against plain Python and DuckDB (scripts/verify/windows.py)"
    .venv/bin/python scripts/verify/windows.py "$program"

    section "Parquet as input (scripts/verify/parquet_replay.py)"
    .venv/bin/python scripts/verify/parquet_replay.py "$program"

    section "impacts recomputed, anomalies as Parquet, events counted (scripts/verify/findings.py)"
    .venv/bin/python scripts/verify/findings.py "$program"

    section "backtest reports, grids and diffs recomputed (scripts/verify/backtest.py)"
    .venv/bin/python scripts/verify/backtest.py "$program"

    section "Parquet against pyarrow and DuckDB, and the recipes of docs/parquet.md (scripts/verify/parquet.py)"
    swift build -c release --scratch-path .build/checked --product parquet-tables -Xswiftc -warnings-as-errors \
        < /dev/null 2>&1 | tail -n 1
    .venv/bin/python scripts/verify/parquet.py .build/checked/release/parquet-tables "$program"

    section "memory (scripts/verify/memory.sh)"
    scripts/verify/memory.sh "$program"

    section "embedded broker against confluent-kafka and kcat (scripts/verify/broker_clients.py)"
    .venv/bin/python scripts/verify/broker_clients.py --start "$program"

    section "per-series functions against Prometheus (scripts/verify/prometheus.sh)"
    STREAM_JOB=$program scripts/verify/prometheus.sh
fi

section "swift test"
swift build --build-tests < /dev/null 2>&1 | tail -n 1
swift test --skip-build < /dev/null
section "all passed"
