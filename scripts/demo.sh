#!/usr/bin/env bash
# The first look: installs what is missing, builds, and replays 75 minutes of a real node_exporter through an example
# job. Needs no Kafka and writes only to .build/.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "${1:-}" != -h ] && [ "${1:-}" != --help ] || { sed -n '2,3s/^# //p' "$0"; exit 0; }

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
echo "replaying $capture (a real node_exporter, every 5 s for 75 minutes)"
echo "through   $job: what a machine's CPUs did, in windows of 15 minutes"
echo
.build/release/stream-job replay "$job" --input metrics="$capture" --output "$out" --overwrite
cat << EOF

The same rows are in $out/out/cpu-modes as JSON lines. Try next:
  .build/release/stream-job explain $job
  .build/release/stream-job replay $job --set queries.modes.window.size=5m \\
      --input metrics=$capture --output $out --overwrite
  .build/release/stream-job replay jobs/node-load.yaml --input metrics=$capture --output $out --overwrite
EOF
