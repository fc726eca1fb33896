#!/usr/bin/env bash
# Long checks that the normal test suite runs short. Fails if any of it fails; seeds are in the messages.
#
#   scripts/soak.sh PART [COUNT]      one part; without PART, the parts
#
#   exactly-once [200]     a job killed so often, at every step and at random, its output against an undisturbed run
#                          (SEED=N repeats; scripts/verify/crash has more flags)
#   detector-model [200]   random jobs over every detector: flags equal live, replayed, restarted, with state lost
#   formats [10000]        hostile text, by decoders that know something, everything or nothing, against the strict way to read it
#                          (SEED=N: from that seed on)
#   broker-model [1000]    random histories of producers, transactions, offsets and crashes against a model
#   replay [10000000]      so many samples: progress, interruption, memory
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:/opt/swift/usr/bin"

usage() { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; }
fail() { printf '%s\n' "$1" >&2; usage >&2; exit 2; }

[ $# -gt 0 ] || { usage; exit 0; }
part=$1
count=${2:-}
[ $# -le 2 ] || fail "soak.sh takes a part and a count, found: ${*:3}"
[[ $count =~ ^([1-9][0-9]*)?$ ]] || fail "COUNT is a number from 1 on, found: $count"

# tests FILTER: builds, then runs the tests of that name.
tests() {
    swift build --build-tests < /dev/null 2>&1 | tail -n 1
    swift test --skip-build --filter "$1" < /dev/null
}

case $part in
-h | --help) usage ;;
exactly-once)
    scripts/install-deps.sh --tests
    swift build --product stream-job < /dev/null 2>&1 | tail -n 1
    .venv/bin/python scripts/verify/crash .build/debug/stream-job --kills "${count:-200}" ${SEED:+--seed "$SEED"}
    ;;
detector-model) DETECTOR_MODEL_JOBS=${count:-200} tests DetectorModelTests ;;
replay)
    scripts/install-deps.sh --tests
    swift build -c release --product stream-job < /dev/null 2>&1 | tail -n 1
    .venv/bin/python scripts/verify/replay.py .build/release/stream-job "${count:-10000000}"
    ;;
formats) FORMAT_ROUNDS=${count:-10000} FORMAT_SEED=${SEED:-1} tests 'ExpositionAgreementTests|SampleJSONAgreementTests' ;;
broker-model) BROKER_MODEL_RUNS=${count:-1000} tests ModelTests ;;
*) fail "no part $part" ;;
esac
