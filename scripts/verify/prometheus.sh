#!/bin/bash
# Compares the per-series functions, histogram_quantile and the example jobs with a real Prometheus (Debian's package, which
# is installed where it is missing).
#   scripts/verify/prometheus.sh [SEED [ARGUMENT…]]    STREAM_JOB: the binary, default .build/debug/stream-job
# Arguments go to prometheus_replay.py, such as --recorded FILE for the counters of a recording.
set -euo pipefail
cd "$(dirname "$0")/../.."
seed=${1:-1}
output=${OUTPUT:-.build/verify-prometheus}

if ! command -v prometheus >/dev/null || ! command -v promtool >/dev/null; then
    if [ "$(id -u)" = 0 ]; then as_root=(); else as_root=(sudo); fi
    "${as_root[@]}" apt-get update -q
    # Without its service: a server of our own, on a port of its own, is all that is needed.
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends prometheus
fi

binary=${STREAM_JOB:-.build/debug/stream-job}
if [ ! -x "$binary" ]; then
    swift build
fi
mkdir -p "$output"
python3 scripts/verify/prometheus_replay.py --stream-job "$binary" --seed "$seed" --output "$output/$seed" "${@:2}"
