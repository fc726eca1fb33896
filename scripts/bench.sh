#!/usr/bin/env bash
# Measures everything that docs/performance.md promises, in one run on a quiet machine, and prints a table of asked, measured,
# ratio; the same goes to .build/bench/results.md and results.json, after each item. It says at its start what it will take:
# some 35 minutes with all peers, 8 without, and the release build before. What cannot be measured is listed so, and the rest
# goes on.
#
#   scripts/bench.sh                          everything
#   scripts/bench.sh --docs                   everything, and the tables into docs/performance.md
#   scripts/bench.sh --quick                  does all work? One round, the batch peers only: some 5 minutes, no measure
#   scripts/bench.sh --items text,sliding     some items; --systems duckdb: some peers (the options are below)
#   scripts/bench.sh stages sliding           benchmarks of parts by name, without the table; --list names them
#
# Exit status 1 if something that is asked does not hold or a benchmark failed, 2 for wrong arguments or a build that fails, 130
# if interrupted (items measured before stay in the results).
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in -h | --help) sed -n '2,15s/^# \{0,1\}//p' "$0"; exec python3 Benchmarks/items/items.py --help ;; esac
for tool in python3 cc; do
    command -v "$tool" > /dev/null || { echo "bench.sh: needs $tool: apt-get install gcc python3 python3-venv" >&2; exit 2; }
done
# From the source: nothing need be built to know them.
names() { sed -nE 's/^    \("([a-z-]+)", run[A-Za-z]+\),$/\1/p' Benchmarks/main.swift; }
if [ "${1:-}" = --list ]; then names; exit 0; fi
by_name=false
case "${1:--}" in -*) ;; *) by_name=true ;; esac
# A mistyped name is told before minutes of building.
if $by_name; then
    for name in "$@"; do
        if ! names | grep -qxF -e "$name"; then
            echo "bench.sh: there is no benchmark \`$name\`; there are: $(names | paste -sd ' ')" >&2
            exit 2
        fi
    done
else
    python3 Benchmarks/items/items.py --check "$@"
fi
scripts/install-deps.sh || echo "bench.sh: goes on with what is there" >&2
export PATH="$PATH:/opt/swift/usr/bin"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for product in stream-job benchmarks; do
    echo "building $product (release; minutes the first time) …" >&2
    if ! swift build -c release --product "$product" > "$log" 2>&1; then
        tail -n 40 "$log" >&2
        echo "bench.sh: $product does not build" >&2
        exit 2
    fi
done
rm -f "$log"
if $by_name; then
    export BENCHMARK_INPUTS="${BENCHMARK_INPUTS:-$PWD/.build/peers/inputs}"
    case " $* " in *" files "*)
        python3 Benchmarks/peers/inputs.py "$BENCHMARK_INPUTS" few-text few-json many-text many-json ;;
    esac
    exec .build/release/benchmarks "$@"
fi
exec python3 Benchmarks/items/items.py "$@"
