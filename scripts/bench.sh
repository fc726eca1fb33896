#!/usr/bin/env bash
# Measures: the parts (Benchmarks/), then whole processes over stated inputs. On a quiet machine; figures of one run.
#
#   scripts/bench.sh [NAME …]      NAME: benchmarks of Benchmarks/main.swift; default: all, then the replays
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install-deps.sh
export PATH="$PATH:/opt/swift/usr/bin"
swift build -c release --product stream-job 2>&1 | tail -n 1
swift build -c release --product benchmarks 2>&1 | tail -n 1
printf '%s, %s cores, %s\n\n' "$(sed -nE 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" \
    "$(swift --version 2> /dev/null | head -n 1)"
.build/release/benchmarks "$@"
[ $# -eq 0 ] || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/job.yaml" << 'EOF'
# One query, 1-minute windows, six aggregates by (name, instance).
name: bench
sources:
  metrics: {kafka: {topics: [metrics]}, format: prometheus, watermark: {delay: 10s}}
queries:
  - name: q
    window: {size: 1m}
    groupBy: [name, instance]
    aggregates: {n: count(), s: sum(value), a: avg(value), lo: min(value), hi: max(value), sd: stddev(value)}
    sinks: [{jsonl: {path: rows}}]
EOF
# generate SERIES SCRAPES: text exposition, one scrape every 10 s.
generate() {
    awk -v series="$1" -v scrapes="$2" 'BEGIN {
        for (s = 0; s < scrapes; s++) for (i = 0; i < series; i++)
            printf "metric_%d{instance=\"node-%d:9100\",job=\"node\"} %.6g %.0f\n",
                i % 50, i / 50, (i * 7919 + s * 104729) % 1000003 / 7, 1767225600000 + s * 10000
    }'
}
# replay NAME INPUT [OPTION …]
replay() {
    local name=$1 input=$2
    shift 2
    printf '%s: ' "$name"
    .build/release/stream-job replay "$work/job.yaml" --input "metrics=$input" --output "$work/out" --overwrite \
        --summary json "$@" 2> /dev/null | tail -n 1 |
        sed -E 's/.*"samples":([0-9]+).*"rows":([0-9]+).*"seconds":([0-9.]+),"samplesPerSecond":([0-9.]+).*"peakRSSBytes":([0-9]+).*/\1 samples \3 s \4 \5/' |
        awk '{ printf "%d samples in %.2f s: %.2f M samples/s, peak RSS %.0f MiB\n", $1, $3, $5 / 1e6, $6 / 1048576 }'
}
printf '\nwhole-process replays, text exposition on disk, 1-minute windows, six aggregates by (name, instance)\n'
generate 500 10000 > "$work/few.prom"
replay "500 series x 10,000 scrapes, one thread" "$work/few.prom" --workers 1
generate 200000 25 > "$work/many.prom"
replay "200,000 series x 25 scrapes, one thread" "$work/many.prom" --workers 1
mkdir "$work/two"
cp "$work/few.prom" "$work/two/0.prom"
cp "$work/few.prom" "$work/two/1.prom"
replay "two partitions of 500 series, two threads" "$work/two" --workers 2
