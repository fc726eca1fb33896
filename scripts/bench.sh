#!/usr/bin/env bash
# Measures everything that docs/performance.md promises, in one run, and prints a table of asked, measured, ratio; the same
# goes to .build/bench/results.md and results.json. Takes most of an hour with all peers. On a quiet machine.
#
#   scripts/bench.sh                          everything
#   scripts/bench.sh --items text,sliding     some items; --systems duckdb: some peers (Benchmarks/items/items.py --help)
#   scripts/bench.sh NAME …                   benchmarks of parts by name (Benchmarks/main.swift)
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install-deps.sh
export PATH="$PATH:/opt/swift/usr/bin"
swift build -c release --product stream-job 2>&1 | tail -n 1 >&2
swift build -c release --product benchmarks 2>&1 | tail -n 1 >&2
if [ $# -gt 0 ] && [ "${1#-}" = "$1" ]; then exec .build/release/benchmarks "$@"; fi
exec python3 Benchmarks/items/items.py "$@"
