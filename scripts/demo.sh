#!/usr/bin/env bash
# The first look, half a minute after the build: installs what is missing, builds, replays 75 minutes of a real
# node_exporter through an example job, then runs a live job on an embedded Kafka broker. Needs no Kafka; writes to
# .build/, and leaves the live job's input in a temporary directory to try things on. -h shows this.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "${1:-}" != -h ] && [ "${1:-}" != --help ] || { sed -n '2,4s/^# //p' "$0"; exit 0; }

scripts/install-deps.sh
export PATH="$PATH:/opt/swift/usr/bin"

if [ -x .build/release/stream-job ]; then echo "building (release)"; else echo "building (release); the first time takes some minutes"; fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! swift build -c release --product stream-job > "$log" 2>&1 < /dev/null; then
    cat "$log" >&2
    exit 1
fi

job=jobs/node-cpu-modes.yaml
capture=Tests/EndToEndTests/Fixtures/node.prom.zst
out=.build/demo
echo
echo "1 of 2: replaying $capture (a real node_exporter, every 5 s for 75 minutes)"
echo "        through   $job: what a machine's CPUs did, in windows of 15 minutes"
echo
.build/release/stream-job replay "$job" --input metrics="$capture" --output "$out" --overwrite
echo "the same rows are in $out/out/cpu-modes as JSON lines; to see them in other windows:"
echo "  .build/release/stream-job replay $job --set queries.modes.window.size=5m \\"
echo "      --input metrics=$capture --output $out --overwrite"
echo
echo "2 of 2: live, on an embedded Kafka broker"
echo
.build/release/stream-job demo --seconds 25
