#!/usr/bin/env bash
# Installs what building and running needs on Debian (12 or later); does nothing where all is there.
#
#   scripts/install-deps.sh [--tests] [--package]
#
#   --tests     also what scripts/test.sh uses: kcat, docker-compose, prometheus, and Python packages in .venv
#   --package   also what scripts/package.sh uses
#
# Works as root or with sudo. Swift is not in Debian as the version needed: where it is missing this says where to get
# it, and ends with exit code 1.
set -euo pipefail
cd "$(dirname "$0")/.."
export DEBIAN_FRONTEND=noninteractive

packages=(librdkafka-dev libzstd-dev liblz4-dev libyaml-dev libre2-dev zlib1g-dev libsnappy-dev pkg-config g++ zstd
    lz4 gzip git)
tests=false
for argument in "$@"; do
    case "$argument" in
        --tests) tests=true; packages+=(kcat docker-compose prometheus python3 python3-venv) ;;
        --package) packages+=(dpkg-dev) ;;
        -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) echo "install-deps.sh: unknown argument $argument; it takes --tests and --package" >&2; exit 2 ;;
    esac
done

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo > /dev/null; then
        sudo --preserve-env=DEBIAN_FRONTEND "$@"
    else
        echo "install-deps.sh: needs root to install packages, and there is no sudo. As root: apt-get install $*" >&2
        exit 1
    fi
}

# quietly COMMAND …: its output only when it fails.
quietly() {
    local log
    log=$(mktemp)
    if ! "$@" > "$log" 2>&1 < /dev/null; then
        cat "$log" >&2
        rm -f "$log"
        echo "install-deps.sh: this failed: $*" >&2
        return 1
    fi
    rm -f "$log"
}

missing=()
for package in "${packages[@]}"; do
    # shellcheck disable=SC2016  # a format of dpkg's
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done

if [ "${#missing[@]}" -gt 0 ]; then
    if ! command -v apt-get > /dev/null; then
        echo "install-deps.sh: this is no Debian; install what provides: ${missing[*]}" >&2
        exit 1
    fi
    echo "installing ${missing[*]}"
    # Packages that bring a service (prometheus) must not start it: policy-rc.d says no while we install.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" > /dev/null
        as_root chmod +x "$policy"
    fi
    quietly as_root apt-get update
    quietly as_root apt-get install -y --no-install-recommends "${missing[@]}"
fi

if $tests; then
    python=/usr/bin/python3
    [ -x "$python" ] || python=$(command -v python3)
    if [ ! -x .venv/bin/pip ]; then
        echo "making .venv"
        quietly "$python" -m venv .venv
    fi
    wanted=(pyarrow duckdb confluent-kafka)
    if ! .venv/bin/python -c 'import pyarrow, duckdb, confluent_kafka' 2> /dev/null; then
        echo "installing ${wanted[*]} into .venv"
        quietly .venv/bin/python -m pip install --disable-pip-version-check "${wanted[@]}"
    fi
fi

# swiftly and the archives of swift.org put the toolchain at places that a plain shell may not have in its PATH.
swift=$(command -v swift || ls /opt/swift/usr/bin/swift "$HOME/.local/share/swiftly/bin/swift" 2> /dev/null | head -n 1 || true)
version=$([ -z "$swift" ] || "$swift" --version 2> /dev/null | sed -nE 's/.*Swift version ([0-9]+\.[0-9]+).*/\1/p' | head -n 1)
if [ -z "$version" ] || [ "$(printf '%s\n' 6.1 "$version" | sort -V | head -n 1)" != 6.1 ]; then
    cat >&2 << EOF
install-deps.sh: Swift 6.1 or later is needed; found: ${version:-none}${swift:+ ($swift)}

Get it from https://www.swift.org/install/linux/ (Debian 12, x86_64 or aarch64), for example
    apt-get install binutils libc6-dev libcurl4-openssl-dev libedit2 libgcc-12-dev libncurses-dev \\
        libpython3-dev libsqlite3-0 libstdc++-12-dev libxml2-dev libz3-dev tzdata zlib1g-dev
    tar -xzf swift-6.1-RELEASE-debian12.tar.gz --strip-components=1 -C /opt/swift     # /opt/swift/usr/bin/swift
and put /opt/swift/usr/bin into your PATH; or with swiftly, from the same page. Then run this again.
EOF
    exit 1
fi
if ! command -v swift > /dev/null; then
    echo "install-deps.sh: Swift is at $swift but not in PATH: export PATH=$(dirname "$swift"):\$PATH" >&2
    exit 1
fi
