#!/usr/bin/env bash
# Formats all Swift code; with --check changes nothing and fails where something is not formatted.
set -euo pipefail
cd "$(dirname "$0")/.."
places=(Package.swift Sources Tests Benchmarks Examples)
if [ "${1:-}" = --check ]; then
    swift format lint --strict --recursive --parallel --configuration .swift-format "${places[@]}"
else
    swift format --in-place --recursive --parallel --configuration .swift-format "${places[@]}"
fi
