#!/usr/bin/env python3
"""Drives the embedded broker with clients we did not write: confluent-kafka (librdkafka) and kcat.

    broker_clients.py HOST:PORT [CHECK …]      against a running broker
    broker_clients.py --start PATH-TO-stream-job [CHECK …]   starts one, also kills and restarts it

Needs confluent-kafka 2.x (pip install confluent-kafka) and, for its checks, kcat. Exit code 1 when a check fails.
"""
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from confluent_kafka import (OFFSET_BEGINNING, Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException,
                             Producer, TopicPartition)
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions,
                                   NewTopic, OffsetSpec, ResourceType)

RUN = f"{os.getpid():x}"
# Seconds for what must come: they only end a check that hangs.
HUNG = 180
# No pause of the machine outlasts it, and no check waits for its end.
SESSION_MS = 120_000
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


class Broker:
    """A broker under test; one we started can be killed and started again."""

    def __init__(self, address=None, binary=None):
        self.binary, self.address, self.process, self.client = binary, address, None, None
        if binary:
            self.folder = tempfile.mkdtemp(prefix="broker-clients-")
            # Below the ports that the system gives to whoever asks for any: nobody has it while the broker is down.
            while not self.start(f"127.0.0.1:{random.randrange(15_000, 32_000)}"):
                pass

    def start(self, listen):
        """Whether it took the address."""
        self.process = subprocess.Popen(
            [self.binary, "broker", "--listen", listen, "--data", self.folder, "--admin-port", "0"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        first = self.process.stdout.readline()
        if not first:
            error = self.process.stderr.read()
            assert "in use" in error, error
            return False
        self.process.stderr.close()
        self.address = first.split()[-1]
        self.admin_address = self.process.stdout.readline().split()[-1]
        return True

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def restart(self):
        self.kill()
        assert self.start(self.address), f"{self.address} was taken"

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(HUNG) == 0, "SIGTERM did not end the broker cleanly"
            shutil.rmtree(self.folder)

    def fault(self, command):
        host, port = self.admin_address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), HUNG) as connection:
            connection.sendall((command + "\n").encode())
            answer = connection.makefile().readline().strip()
        assert not answer.startswith("error"), answer
        return answer

    def producer(self, **more):
        return Producer({"bootstrap.servers": self.address, "linger.ms": 5, "log_level": 0,
                         **{k.replace("_", "."): v for k, v in more.items()}})

    def consumer(self, group, **more):
        return Consumer({"bootstrap.servers": self.address, "group.id": group, "auto.offset.reset": "earliest",
                         "enable.partition.eof": True, "log_level": 0, **{k.replace("_", "."): v for k, v in more.items()}})

    def admin(self):
        # Kept: its answers come only while it lives.
        self.client = self.client or AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        return self.client

    def create(self, name, partitions=1, config=None):
        name = f"{name}-{RUN}"
        done = self.admin().create_topics([NewTopic(name, partitions, 1, config=config or {})])
        done[name].result(HUNG)
        return name

    def read(self, topic, partitions=1, isolation="read_committed", timeout=HUNG):
        """Every value of a topic up to its end, by partition then offset."""
        consumer = self.consumer(f"read-{RUN}", isolation_level=isolation, enable_auto_commit=False)
        consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(partitions)])
        values, ended, deadline = {p: [] for p in range(partitions)}, set(), time.time() + timeout
        while len(ended) < partitions:
            assert time.time() < deadline, f"{topic} was not read to its end in {timeout} s"
            message = consumer.poll(1)
            if message is None:
                continue
            if message.error():
                if message.error().code() == KafkaError._PARTITION_EOF:
                    ended.add(message.partition())
                continue
            values[message.partition()].append(message.value().decode())
        consumer.close()
        return [value for p in sorted(values) for value in values[p]]

    def settle(self, topic, partitions=1):
        """Waits for the markers of decided transactions: they follow the answer."""
        one, all_ = (self.consumer(f"settle-{RUN}", isolation_level=level) for level in
                     ("read_committed", "read_uncommitted"))
        deadline = time.time() + HUNG
        for place in (TopicPartition(topic, p) for p in range(partitions)):
            while one.get_watermark_offsets(place, HUNG)[1] < all_.get_watermark_offsets(place, HUNG)[1]:
                assert time.time() < deadline, f"a transaction stays open in {place}"
                time.sleep(0.02)
        one.close()
        all_.close()


def equal(found, expected):
    assert found == expected, f"found {str(found)[:300]}, expected {str(expected)[:300]}"


@check
def codecs(broker):
    """Every compression codec comes back as it went in."""
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        topic = broker.create(f"codec-{codec}")
        producer = broker.producer(compression_type=codec)
        expected = [f"value {i} " * 20 for i in range(500)]
        for value in expected:
            producer.produce(topic, value)
        assert producer.flush(HUNG) == 0
        equal(broker.read(topic), expected)
        # By time, also into the middle of a compressed batch.
        timed = broker.create(f"timed-{codec}")
        producer = broker.producer(compression_type=codec, linger_ms=200)
        for i in range(500):
            producer.produce(timed, "a value of some length", timestamp=1_000_000 + i)
        assert producer.flush(HUNG) == 0
        place = TopicPartition(timed, 0)
        for i in (0, 1, 250, 499):
            asked = {place: OffsetSpec.for_timestamp(1_000_000 + i)}
            equal(broker.admin().list_offsets(asked)[place].result(HUNG).offset, i)


@check
def idempotence(broker):
    """Lost answers lead to repetitions, which are absorbed."""
    topic = broker.create("idempotent")
    producer = broker.producer(enable_idempotence=True, retry_backoff_ms=50)
    expected = [str(i) for i in range(3000)]
    if broker.binary:
        broker.fault("lose Produce 3")
    for value in expected:
        producer.produce(topic, value)
        if int(value) % 300 == 0:
            producer.flush(HUNG)
    assert producer.flush(HUNG) == 0
    equal(broker.read(topic), expected)


@check
def transactions(broker):
    """Commit, abort, interleaving: what the two kinds of readers see."""
    topic = broker.create("transactions", 2)
    one, two = (broker.producer(transactional_id=f"{name}-{RUN}") for name in ("one", "two"))
    for producer in (one, two):
        producer.init_transactions(HUNG)
    for round_ in range(6):
        for name, producer in (("one", one), ("two", two)):
            producer.begin_transaction()
            for i in range(20):
                producer.produce(topic, f"{name}-{round_}-{i}", partition=i % 2)
            producer.flush(HUNG)
        one.commit_transaction(HUNG) if round_ % 2 == 0 else one.abort_transaction(HUNG)
        two.abort_transaction(HUNG) if round_ % 3 == 0 else two.commit_transaction(HUNG)
    committed = {f"one-{r}-{i}" for r in (0, 2, 4) for i in range(20)}
    committed |= {f"two-{r}-{i}" for r in (1, 2, 4, 5) for i in range(20)}
    broker.settle(topic, 2)
    equal(sorted(broker.read(topic, 2)), sorted(committed))
    equal(len(broker.read(topic, 2, "read_uncommitted")), 6 * 40)


@check
def zombies(broker):
    """A second producer with the same transactional id fences the first."""
    topic = broker.create("zombies")
    first = broker.producer(transactional_id=f"zombie-{RUN}")
    first.init_transactions(HUNG)
    first.begin_transaction()
    first.produce(topic, "lost")
    first.flush(HUNG)
    second = broker.producer(transactional_id=f"zombie-{RUN}")
    second.init_transactions(HUNG)
    try:
        first.commit_transaction(HUNG)
        raise AssertionError("the zombie committed")
    except KafkaException as failure:
        assert failure.args[0].code() in (KafkaError._FENCED, KafkaError.PRODUCER_FENCED,
                                          KafkaError.INVALID_PRODUCER_EPOCH), failure
    second.begin_transaction()
    second.produce(topic, "kept")
    second.commit_transaction(HUNG)
    broker.settle(topic)
    equal(broker.read(topic), ["kept"])


@check
def consume_transform_produce(broker):
    """Offsets go with the transaction (KIP-447); nothing is lost or doubled."""
    source, target = broker.create("source"), broker.create("target")
    feeder = broker.producer()
    for i in range(300):
        feeder.produce(source, str(i))
    assert feeder.flush(HUNG) == 0
    group = f"ctp-{RUN}"
    for attempt in range(4):
        consumer = broker.consumer(group, isolation_level="read_committed", enable_auto_commit=False,
                                   session_timeout_ms=SESSION_MS)
        consumer.subscribe([source])
        producer = broker.producer(transactional_id=f"ctp-{RUN}")
        producer.init_transactions(HUNG)
        taken, deadline, ended = 0, time.time() + HUNG, False
        while taken < 100 and not ended:
            assert time.time() < deadline, f"no records within {HUNG} s"
            message = consumer.poll(1)
            if message is None:
                continue
            if message.error():
                ended = message.error().code() == KafkaError._PARTITION_EOF
                continue
            if taken == 0:
                producer.begin_transaction()
            producer.produce(target, message.value())
            taken += 1
        if taken:
            producer.send_offsets_to_transaction(consumer.position(consumer.assignment()),
                                                 consumer.consumer_group_metadata(), HUNG)
            # The second attempt gives up: its records and offsets must not count.
            producer.abort_transaction(HUNG) if attempt == 1 else producer.commit_transaction(HUNG)
        consumer.close()
    broker.settle(target)
    equal(broker.read(target), [str(i) for i in range(300)])


def group_of(broker, strategy, members):
    topic, group = broker.create(f"group-{strategy}", 6), f"{strategy}-{RUN}"
    consumers = []
    assigned = {}

    def pump(seconds, until=lambda: False):
        deadline = time.time() + seconds
        while time.time() < deadline and not until():
            for consumer in consumers:
                consumer.poll(0.05)

    def owned(consumer):
        return {p.partition for p in consumer.assignment()}

    for count in range(1, members + 1):
        consumer = broker.consumer(group, partition_assignment_strategy=strategy, session_timeout_ms=SESSION_MS,
                                   heartbeat_interval_ms=300)
        consumer.subscribe([topic])
        consumers.append(consumer)

        def settled():
            parts = [owned(c) for c in consumers]
            return all(parts) and sum(map(len, parts)) == 6 and set().union(*parts) == set(range(6))
        pump(HUNG, settled)
        assert settled(), f"{strategy} with {count} members: {[owned(c) for c in consumers]}"
    consumers.pop(0).close()
    pump(HUNG, settled)
    assert settled(), f"{strategy} after a member left: {[owned(c) for c in consumers]}"
    described = broker.admin().describe_consumer_groups([group])[group].result(HUNG)
    equal((described.state.name, len(described.members)), ("STABLE", members - 1))
    for consumer in consumers:
        consumer.close()


@check
def eager_groups(broker):
    """Range assignor: members share partitions as they come and go."""
    group_of(broker, "range", 3)


@check
def cooperative_groups(broker):
    """Cooperative sticky assignor."""
    group_of(broker, "cooperative-sticky", 3)


@check
def static_members(broker):
    """A static member that comes back gets its partitions without a rebalance."""
    topic, group = broker.create("static", 4), f"static-{RUN}"

    def member(name):
        consumer = broker.consumer(group, group_instance_id=name, session_timeout_ms=SESSION_MS,
                                   heartbeat_interval_ms=300)
        consumer.subscribe([topic])
        return consumer

    def settle(*consumers):
        deadline = time.time() + HUNG
        while not all(len(c.assignment()) == 2 for c in consumers):
            assert time.time() < deadline, [c.assignment() for c in consumers]
            for consumer in consumers:
                consumer.poll(0.1)
    one, two = member("one"), member("two")
    settle(one, two)
    before = {p.partition for p in two.assignment()}
    two.close()  # A static member does not leave the group.
    two = member("two")
    settle(one, two)
    equal({p.partition for p in two.assignment()}, before)
    one.close()
    two.close()


@check
def admin(broker):
    """Topics, configuration, offsets and groups through the admin client."""
    client, topic = broker.admin(), broker.create("admin", 2, {"retention.ms": "1000000"})
    resource = ConfigResource(ResourceType.TOPIC, topic)
    equal(client.describe_configs([resource])[resource].result(HUNG)["retention.ms"].value, "1000000")
    change = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[
        ConfigEntry("max.message.bytes", "2000000", incremental_operation=AlterConfigOpType.SET)])
    client.incremental_alter_configs([change])[change].result(HUNG)
    equal(client.describe_configs([resource])[resource].result(HUNG)["max.message.bytes"].value, "2000000")
    client.create_partitions([NewPartitions(topic, 3)])[topic].result(HUNG)
    equal(len(client.list_topics(topic, HUNG).topics[topic].partitions), 3)
    for name, code in (("a/b", KafkaError.TOPIC_EXCEPTION), (topic, KafkaError.TOPIC_ALREADY_EXISTS)):
        try:
            client.create_topics([NewTopic(name, 1, 1)])[name].result(HUNG)
            raise AssertionError(f"{name} was made")
        except KafkaException as failure:
            equal(failure.args[0].code(), code)
    producer = broker.producer()
    for i in range(10):
        producer.produce(topic, str(i), partition=0, timestamp=1000 + i)
    assert producer.flush(HUNG) == 0
    first = TopicPartition(topic, 0)
    for spec, offset in ((OffsetSpec.earliest(), 0), (OffsetSpec.latest(), 10), (OffsetSpec.for_timestamp(1004), 4),
                         (OffsetSpec.max_timestamp(), 9)):
        equal(client.list_offsets({first: spec})[first].result(HUNG).offset, offset)
    client.delete_records([TopicPartition(topic, 0, 6)])
    deadline = time.time() + HUNG
    while client.list_offsets({first: OffsetSpec.earliest()})[first].result(HUNG).offset != 6:
        assert time.time() < deadline, "the records were not deleted"
    group = f"admin-{RUN}"
    request = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 8)])
    client.alter_consumer_group_offsets([request])[group].result(HUNG)
    listed = client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(HUNG)
    equal([(p.topic, p.partition, p.offset) for p in listed.topic_partitions], [(topic, 0, 8)])
    assert group in {g.group_id for g in client.list_consumer_groups().result(HUNG).valid}
    client.delete_consumer_groups([group])[group].result(HUNG)
    equal(len(client.describe_cluster().result(HUNG).nodes), 1)
    client.delete_topics([topic])[topic].result(HUNG)
    assert topic not in client.list_topics(timeout=HUNG).topics


@check
def kcat(broker):
    """kcat: metadata, produce, consume, and a group of its own."""
    def run(*arguments, text=None):
        done = subprocess.run(["kcat", "-b", broker.address, *arguments], input=text, text=True,
                              capture_output=True, timeout=HUNG)
        assert done.returncode == 0, done.stderr
        return done.stdout
    topic = broker.create("kcat", 3)
    assert f'topic "{topic}" with 3 partitions' in run("-L")
    lines = [f"line {i}" for i in range(1000)]
    run("-P", "-t", topic, "-z", "lz4", "-X", "enable.idempotence=true", text="\n".join(lines) + "\n")
    equal(sorted(run("-C", "-t", topic, "-e", "-q").split("\n")[:-1]), sorted(lines))
    grouped = run("-G", f"kcat-{RUN}", "-X", "auto.offset.reset=earliest", "-X", "enable.partition.eof=true",
                  "-c", "1000", "-q", topic)
    equal(sorted(grouped.split("\n")[:-1]), sorted(lines))


@check
def oversized(broker):
    """A batch above max.message.bytes is refused with Kafka's error."""
    topic = broker.create("small", 1, {"max.message.bytes": "1000"})
    errors = []
    producer = broker.producer()
    producer.produce(topic, "x" * 5000, on_delivery=lambda error, _: errors.append(error))
    producer.flush(HUNG)
    equal([error.code() for error in errors], [KafkaError.MSG_SIZE_TOO_LARGE])


@check
def log_append_time(broker):
    """LogAppendTime topics stamp."""
    topic = broker.create("stamped", 1, {"message.timestamp.type": "LogAppendTime"})
    producer = broker.producer(compression_type="lz4")
    producer.produce(topic, "now", timestamp=1000)
    assert producer.flush(HUNG) == 0
    consumer = broker.consumer(f"stamped-{RUN}")
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    message = consumer.poll(HUNG)
    kind, stamp = message.timestamp()
    consumer.close()
    assert kind == 2 and abs(stamp / 1000 - time.time()) < 60, (kind, stamp)


@check
def survives_kill(broker):
    """kill -9 in the middle of transactions: committed ones are whole, others are gone."""
    if not broker.binary:
        return "needs --start"
    topic = broker.create("killed", 2)
    committed = []
    producer = broker.producer(transactional_id=f"killed-{RUN}", retry_backoff_ms=100)
    producer.init_transactions(HUNG)
    for round_ in range(12):
        producer.begin_transaction()
        for i in range(50):
            producer.produce(topic, f"{round_}-{i}", partition=i % 2)
        if round_ % 4 == 1:
            producer.flush(HUNG)
            broker.restart()
        try:
            while True:
                try:
                    producer.commit_transaction(HUNG)
                    break
                except KafkaException as failure:
                    if not failure.args[0].retriable():
                        raise
            committed += [f"{round_}-{i}" for i in range(50)]
        except KafkaException as failure:
            assert failure.args[0].txn_requires_abort(), failure
            producer.abort_transaction(HUNG)
        if round_ % 4 == 3:
            broker.restart()
    broker.settle(topic, 2)
    equal(sorted(broker.read(topic, 2)), sorted(committed))
    assert len(committed) >= 450, f"only {len(committed)} committed"


@check
def group_survives_kill(broker):
    """Committed offsets and the group itself are there after kill -9."""
    if not broker.binary:
        return "needs --start"
    topic, group = broker.create("kept", 2), f"kept-{RUN}"
    producer = broker.producer()
    for i in range(100):
        producer.produce(topic, str(i), partition=i % 2)
    assert producer.flush(HUNG) == 0

    def take(consumer, count):
        values, deadline = [], time.time() + HUNG
        while len(values) < count:
            assert time.time() < deadline, f"{len(values)} of {count} records within {HUNG} s"
            message = consumer.poll(1)
            if message is not None and not message.error():
                values.append(message.value().decode())
        return values
    # Its leaving is lost where the broker is not back by then: the next member waits for the session's end.
    consumer = broker.consumer(group, enable_auto_commit=False, session_timeout_ms=10_000)
    consumer.subscribe([topic])
    first = take(consumer, 40)
    consumer.commit(asynchronous=False)
    broker.restart()
    rest = take(consumer, 60)
    consumer.close()
    equal(sorted(first + rest, key=int), [str(i) for i in range(100)])
    again = broker.consumer(group, enable_auto_commit=False, session_timeout_ms=SESSION_MS)
    again.subscribe([topic])
    equal(sorted(take(again, 60), key=int), sorted(rest, key=int))
    again.close()


@check
def faults(broker):
    """Errors and delays on demand reach the client, which gets over them."""
    if not broker.binary:
        return "needs --start"
    topic = broker.create("faults")
    producer = broker.producer(enable_idempotence=True, retry_backoff_ms=50)
    for command in ("error Produce NOT_LEADER_OR_FOLLOWER 2", "drop Produce 1", "delay Produce 300 1"):
        broker.fault(command)
    for i in range(50):
        producer.produce(topic, str(i))
    assert producer.flush(HUNG) == 0
    equal(broker.read(topic), [str(i) for i in range(50)])
    broker.fault(f"freeze {topic} 0")
    producer.produce(topic, "thawed")
    # So long nothing happens: the time is the case.
    assert producer.flush(0.5) == 1, "a frozen partition took a record"
    broker.fault(f"thaw {topic} 0")
    assert producer.flush(HUNG) == 0
    broker.fault("clear")


def main(arguments):
    if len(arguments) >= 2 and arguments[0] == "--start":
        broker, names = Broker(binary=arguments[1]), arguments[2:]
    elif arguments and ":" in arguments[0]:
        broker, names = Broker(arguments[0]), arguments[1:]
    else:
        sys.exit(__doc__)
    failed = 0
    for function in CHECKS:
        if names and function.__name__ not in names:
            continue
        started = time.time()
        try:
            note = function(broker) or "ok"
        except Exception as problem:  # A failed check must not hide the others.
            failed += 1
            note = f"FAILED: {type(problem).__name__}: {problem}"
        print(f"{function.__name__:28} {time.time() - started:6.1f} s  {note}", flush=True)
    broker.stop()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
