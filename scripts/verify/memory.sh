#!/usr/bin/env bash
# Replays in bounded memory: peak RSS must follow series and windows, not the length of the input.
#
#   scripts/verify/memory.sh PATH-TO-stream-job [--soak]
#
#   - 1 M and 10 M samples of the same 500 series: within 10 %
#   - a day in one file, and 30 days in 30 files (30 partitions): within 10 %
#   - pods that come and go: 2 and 12 days of 1,000 live series, 1/24 replaced each hour: within 10 %
#     (--soak: 3 and 30 days, 10,000 live, 1 M over all; some 10 minutes)
set -euo pipefail
program=$(realpath "$1")
soak=${2:-}
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/job.yaml" << 'EOF'
name: memory
sources:
  metrics: {kafka: {topics: [metrics]}, format: prometheus, watermark: {delay: 10s}}
queries:
  - name: q
    window: {size: 1m}
    groupBy: [name, instance]
    aggregates: {n: count(), s: sum(value), a: avg(value), sd: stddev(value), p: 'quantile(0.9, value)'}
    sinks: [{jsonl: {path: rows}}]
EOF
cat > "$work/churn.yaml" << 'EOF'
name: memory-churn
sources:
  metrics: {kafka: {topics: [metrics]}, format: prometheus, watermark: {delay: 10s}}
queries:
  - name: q
    window: {size: 10m}
    groupBy: [pod]
    aggregates: {n: count(), rate: sum(rate(value)), last: last(value)}
    sinks: [{jsonl: {path: rows}}]
limits: {keyTTL: 2h}
EOF

# steady SERIES STEP FROM TO: a sample of each series every STEP s from second FROM to before TO.
steady() {
    awk -v series="$1" -v step="$2" -v from="$3" -v to="$4" 'BEGIN {
        for (t = from; t < to; t += step) for (i = 0; i < series; i++)
            printf "metric_%d{instance=\"node-%d:9100\"} %d %.0f\n", i % 50, i / 50, (i * 7919 + t) % 10007, 1767225600000 + t * 1000
    }'
}
# churn LIVE DAYS: LIVE pods, a sample each every 5 min; a pod lives a day, so a 24th is replaced each hour.
churn() {
    awk -v live="$1" -v days="$2" 'BEGIN {
        for (t = 0; t < days * 86400; t += 300) for (i = 0; i < live; i++) {
            generation = int((t + i * 86400 / live) / life(i))
            printf "up{namespace=\"prod\",pod=\"web-%d-%d\"} %d %.0f\n", i, generation, t, 1767225600000 + t * 1000
        }
    }
    function life(i) { return 86400 / 3.4 }'
}
# peak JOB INPUT: peak RSS in KiB, and what was read, to stderr. The least of three runs: how threads happen to share the cores
# only adds.
peak() {
    local summary least=
    for _ in 1 2 3; do
        summary=$("$program" replay "$work/$1" --input "metrics=$2" --output "$work/out" --overwrite --workers 2 --set trigger.interval=100ms --summary json \
            2> "$work/err" | tail -n 1) || { cat "$work/err" >&2; return 1; }
        read -r samples bytes < <(sed -E 's/.*"samples":([0-9]+).*"peakRSSBytes":([0-9]+).*/\1 \2/' <<< "$summary")
        if [ -z "$least" ] || [ "$bytes" -lt "$least" ]; then least=$bytes; fi
    done
    echo "    $samples samples: peak $((least / 1024)) KiB" >&2
    echo $((least / 1024))
}
failed=0
# flat NAME SMALL LARGE [PERCENT]
flat() {
    if [ $(($3 * 100)) -le $(($2 * (100 + ${4:-10}))) ]; then
        echo "ok      $1: $2 → $3 KiB"
    else
        echo "FAILED  $1: $2 → $3 KiB, more than ${4:-10} %"
        failed=1
    fi
}

steady 500 10 0 20000 | zstd -q -1 > "$work/short.zst"
steady 500 10 0 200000 | zstd -q -1 > "$work/long.zst"
flat "ten times as long an input" "$(peak job.yaml "$work/short.zst")" "$(peak job.yaml "$work/long.zst")"
rm "$work"/*.zst

mkdir "$work/days"
for day in $(seq -w 0 29); do
    steady 100 60 $((10#$day * 86400)) $((10#$day * 86400 + 86400)) | zstd -q -1 > "$work/days/$day.zst"
done
flat "30 daily files as 30 partitions" "$(peak job.yaml "$work/days/00.zst")" "$(peak job.yaml "$work/days")"
rm -r "$work/days"

if [ "$soak" = --soak ]; then live=10000 few=3 many=30; else live=1000 few=2 many=12; fi
churn $live $few | zstd -q -1 > "$work/few.zst"
churn $live $many | zstd -q -1 > "$work/many.zst"
flat "series that come and go, $few and $many days" "$(peak churn.yaml "$work/few.zst")" "$(peak churn.yaml "$work/many.zst")"
exit $failed
