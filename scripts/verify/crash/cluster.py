"""The embedded broker as a process of its own, and clients to it that share no code with the engine."""
import os
import signal
import socket
import subprocess
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cluster:
    """A broker on a port of its own that can be killed and started again on its data."""

    def __init__(self, program, directory, config=(), seed=1):
        self.program, self.directory, self.config, self.seed = program, directory, list(config), seed
        self.port, self.admin_port = free_port(), free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.process, self.kills = None, 0

    def start(self):
        words = [self.program, "broker", "--listen", self.address, "--data", self.directory / "broker",
                 "--admin-port", str(self.admin_port), "--seed", str(self.seed), "--no-auto-create"]
        for setting in self.config:
            words += ["--config", setting]
        log = open(self.directory / "broker.log", "ab")
        self.process = subprocess.Popen(words, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                if self.process.poll() is not None:
                    raise AssertionError(f"the broker ended by itself: see {self.directory}/broker.log")
                time.sleep(0.02)
        raise AssertionError("the broker does not listen")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.kills += 1

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def fault(self, command):
        """One command to the admin port; its answer."""
        with socket.create_connection(("127.0.0.1", self.admin_port), timeout=5) as connection:
            connection.sendall((command + "\n").encode())
            answer = connection.makefile().readline().strip()
        assert not answer.startswith("error"), f"{command}: {answer}"
        return answer

    def create(self, topics):
        """Makes topics: {name: partitions, or (partitions, config)}."""
        admin = AdminClient({"bootstrap.servers": self.address})
        new = []
        for name, partitions in topics.items():
            count, config = partitions if isinstance(partitions, tuple) else (partitions, {})
            new.append(NewTopic(name, count, 1, config=config))
        for future in admin.create_topics(new).values():
            future.result(20)

    def delete(self, topic):
        for future in AdminClient({"bootstrap.servers": self.address}).delete_topics([topic]).values():
            future.result(20)

    def producer(self):
        return Producer({"bootstrap.servers": self.address, "enable.idempotence": True, "linger.ms": 2,
                         "reconnect.backoff.max.ms": 200, "log_level": 0})

    def read(self, topic, partitions, timeout=60):
        """Each partition's (key, value) under read_committed, in order, once every transaction on it has ended: markers
        are written after the decision."""
        found = [[] for _ in range(partitions)]
        deadline = time.monotonic() + timeout
        while self.ends(topic, partitions, "read_committed") != self.ends(topic, partitions, "read_uncommitted"):
            assert time.monotonic() < deadline, f"a transaction on {topic} stays open for {timeout} s"
            time.sleep(0.1)
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": f"reader-{os.getpid()}",
                             "isolation.level": "read_committed", "enable.partition.eof": True,
                             "enable.auto.commit": False, "log_level": 0})
        try:
            consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(partitions)])
            open_partitions, deadline = set(range(partitions)), time.monotonic() + timeout
            while open_partitions:
                assert time.monotonic() < deadline, f"{topic} {sorted(open_partitions)} has no end in {timeout} s"
                for message in consumer.consume(1000, 0.2):
                    if message.error() is None:
                        found[message.partition()].append((message.key(), message.value()))
                    elif message.error().code() == KafkaError._PARTITION_EOF:
                        open_partitions.discard(message.partition())
                    elif message.error().code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                        raise AssertionError(f"no topic {topic}")
        finally:
            consumer.close()
        return found

    def ends(self, topic, partitions, isolation):
        """Where each partition ends for a reader; a topic that is not there has no end."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": f"reader-{os.getpid()}",
                             "isolation.level": isolation, "enable.auto.commit": False, "log_level": 0})
        try:
            return [consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1] for p in range(partitions)]
        except KafkaException as error:
            if error.args[0].code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION,
                                        KafkaError._UNKNOWN_TOPIC):
                return []
            raise
        finally:
            consumer.close()

    def committed(self, group, topic, partitions):
        """The group's committed offsets, -1001 where there is none."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": group, "isolation.level": "read_uncommitted",
                             "enable.auto.commit": False, "log_level": 0})
        try:
            asked = [TopicPartition(topic, p) for p in range(partitions)]
            # Not their metadata: confluent-kafka 2.16 reads it past its end.
            return {answer.partition: answer.offset for answer in consumer.committed(asked, 10)}
        finally:
            consumer.close()
