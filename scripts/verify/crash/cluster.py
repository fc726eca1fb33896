"""The embedded broker as a process of its own, and clients to it that share no code with the engine."""
import io
import os
import signal
import socket
import struct
import subprocess
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition
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
        admin = AdminClient({"bootstrap.servers": self.address})
        for future in admin.delete_topics([topic]).values():
            future.result(20)

    def producer(self):
        return Producer({"bootstrap.servers": self.address, "enable.idempotence": True, "linger.ms": 2,
                         "reconnect.backoff.max.ms": 200, "log_level": 0})

    def read(self, topic, partitions, timeout=60):
        """Each partition's (key, value) under read_committed, in order, up to its end: a transaction that a killed member
        left open is waited for."""
        found = [[] for _ in range(partitions)]
        config = {"bootstrap.servers": self.address, "group.id": f"reader-{os.getpid()}", "enable.auto.commit": False,
                  "log_level": 0}
        everything = Consumer({**config, "isolation.level": "read_uncommitted"})
        consumer = Consumer({**config, "isolation.level": "read_committed", "enable.partition.eof": True})
        try:
            ends = [everything.get_watermark_offsets(TopicPartition(topic, p), 20)[1] for p in range(partitions)]
            consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(partitions)])
            open_partitions, deadline = set(range(partitions)), time.monotonic() + timeout
            while open_partitions:
                assert time.monotonic() < deadline, f"{topic} {sorted(open_partitions)} has no end in {timeout} s"
                for message in consumer.consume(1000, 0.2):
                    if message.error() is None:
                        found[message.partition()].append((message.key(), message.value()))
                    elif message.error().code() == KafkaError._PARTITION_EOF:
                        if message.offset() >= ends[message.partition()]:
                            open_partitions.discard(message.partition())
                    elif message.error().code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                        raise AssertionError(f"no topic {topic}")
        finally:
            everything.close()
            consumer.close()
        return found

    def committed(self, group, topic, partitions):
        """The group's committed offset and metadata of each partition, -1 where there is none; also those that an open
        transaction is about to replace. Asked with a request of our own: confluent-kafka reads beyond the metadata's
        end."""
        def text(value):
            return struct.pack(">h", len(value)) + value.encode()

        body = text(group) + struct.pack(">i", 1) + text(topic) + struct.pack(f">i{partitions}i", partitions,
                                                                               *range(partitions))
        request = struct.pack(">hhi", 9, 1, 7) + text("crash-test") + body
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            file = connection.makefile("rb")
            answer = io.BytesIO(file.read(struct.unpack(">i", file.read(4))[0]))

        def take(form):
            return struct.unpack(form, answer.read(struct.calcsize(form)))[0]

        found = {}
        assert take(">i") == 7
        for _ in range(take(">i")):
            answer.read(take(">h"))
            for _ in range(take(">i")):
                partition, offset = take(">i"), take(">q")
                found[partition] = (offset, answer.read(max(0, take(">h"))).decode())
                error = take(">h")
                assert error == 0, f"OffsetFetch: error {error}"
        return found
