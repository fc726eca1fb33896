#!/usr/bin/env bash
# Measures everything that docs/performance.md promises, in one run on a quiet machine, and prints a table of asked, measured,
# ratio; the same goes to .build/bench/results.md and results.json, after each item. It says at its start what it will take:
# some 40 minutes with all peers, 8 without. What cannot be measured is listed so, and the rest goes on.
#
#   scripts/bench.sh                          everything
#   scripts/bench.sh --docs                   everything, and the tables into docs/performance.md
#   scripts/bench.sh --quick                  does all work? One round, the batch peers only: some 5 minutes, no measure
#   scripts/bench.sh --items text,sliding     some items; --systems duckdb: some peers (Benchmarks/items/items.py --help)
#   scripts/bench.sh NAME …                   benchmarks of parts by name (Benchmarks/main.swift)
#
# Exit status 1 if something that is asked does not hold.
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exec python3 Benchmarks/items/items.py --help ;; esac
scripts/install-deps.sh || echo "bench.sh: goes on with what is there" >&2
export PATH="$PATH:/opt/swift/usr/bin"
for product in stream-job benchmarks; do
    echo "building $product (release) …" >&2
    log=$(mktemp)
    if ! swift build -c release --product "$product" > "$log" 2>&1; then
        tail -n 40 "$log" >&2
        rm -f "$log"
        echo "bench.sh: $product does not build" >&2
        exit 2
    fi
    rm -f "$log"
done
if [ $# -gt 0 ] && [ "${1#-}" = "$1" ]; then exec .build/release/benchmarks "$@"; fi
for tool in python3 cc; do
    command -v "$tool" > /dev/null || { echo "bench.sh: needs $tool: apt-get install gcc python3 python3-venv" >&2; exit 2; }
done
exec python3 Benchmarks/items/items.py "$@"
