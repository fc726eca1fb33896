import CRdkafka
import Connectors
import Platform
import StreamEngine

// Reading 1,000,000 records of 1 KB (uncompressed, 250 partitions of 4,000: the mock cluster keeps 5 MiB of each) from
// librdkafka's mock cluster in this process: through `KafkaTopicReader` and its partition readers on one thread, and by
// a bare loop over `rd_kafka_consumer_poll` that counts bytes, with the same settings. The cluster's thread shares the
// machine's cores with both.

private let partitions: Int32 = 250
private let recordsEach = 4000
private let settings: [(String, String)] = [
    ("queued.max.messages.kbytes", "32768"), ("queued.min.messages", "10000000"), ("fetch.wait.max.ms", "100"),
    ("isolation.level", "read_committed"), ("enable.auto.commit", "false"), ("enable.auto.offset.store", "false"),
]

private func measure(_ name: String, _ body: () throws -> (records: Int, bytes: Int)) throws -> Double {
    let clock = SystemClock()
    let startNs = clock.monotonicNs()
    let (records, bytes) = try body()
    let seconds = Double(clock.monotonicNs() - startNs) / 1e9
    guard records == Int(partitions) * recordsEach, bytes == records * 1024 else {
        throw JobFailure("\(name): \(records) records, \(bytes) bytes")
    }
    let rate = Double(records) / seconds
    print(
        "  \(name): \(records) records in \(Int(seconds * 1000)) ms, \(Int(rate / 1000)) k/s, \(bytes / 1_000_000) MB")
    return rate
}

private func readThroughEngine(_ connection: KafkaConnection) throws -> (records: Int, bytes: Int) {
    let source = try KafkaTopicReader(
        connection, subscriptions: [KafkaSubscription(source: "s", topics: .topics(["t"]))], end: .present
    ) { _ in }
    defer { source.close() }
    var readers: [any PartitionReader] = []
    var records = 0
    var bytes = 0
    while records < Int(partitions) * recordsEach {
        for event in source.poll(untilNs: SystemClock().monotonicNs() + 100_000_000) {
            guard case .assigned(let ids) = event else { continue }
            readers = try source.start(Dictionary(uniqueKeysWithValues: ids.map { ($0, 0) }))
        }
        for reader in readers {
            _ = try reader.read(maxBytes: 4 << 20) { record in
                records += 1
                bytes += record.bytes.count
            }
        }
    }
    return (records, bytes)
}

private func readBare(_ brokers: String) -> (records: Int, bytes: Int) {
    var text = [CChar](repeating: 0, count: 512)
    let conf = rd_kafka_conf_new()
    for (name, value) in settings + [("bootstrap.servers", brokers), ("group.id", "bare")] {
        rd_kafka_conf_set(conf, name, value, &text, text.count)
    }
    guard let handle = rd_kafka_new(RD_KAFKA_CONSUMER, conf, &text, text.count) else { return (0, 0) }
    let list = rd_kafka_topic_partition_list_new(partitions)
    for number in 0..<partitions { rd_kafka_topic_partition_list_add(list, "t", number).pointee.offset = 0 }
    rd_kafka_poll_set_consumer(handle)
    rd_kafka_assign(handle, list)
    var records = 0
    var bytes = 0
    while records < Int(partitions) * recordsEach {
        guard let message = rd_kafka_consumer_poll(handle, 100) else { continue }
        if message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR {
            records += 1
            bytes += message.pointee.len
        }
        rd_kafka_message_destroy(message)
    }
    rd_kafka_topic_partition_list_destroy(list)
    rd_kafka_consumer_close(handle)
    rd_kafka_destroy(handle)
    return (records, bytes)
}

/// Prints rates of both ways, three rounds in turn.
func runKafkaConsumeBenchmark() throws {
    print("kafka-consume: \(Int(partitions) * recordsEach) records of 1 KB")
    var text = [CChar](repeating: 0, count: 512)
    guard let handle = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), &text, text.count),
        let cluster = rd_kafka_mock_cluster_new(handle, 1), let servers = rd_kafka_mock_cluster_bootstraps(cluster)
    else {
        throw JobFailure("librdkafka gives no mock cluster")
    }
    defer {
        rd_kafka_mock_cluster_destroy(cluster)
        rd_kafka_destroy(handle)
    }
    rd_kafka_mock_topic_create(cluster, "t", partitions, 1)
    let connection = KafkaConnection(
        brokers: String(cString: servers), producerOptions: [.init("compression.type", "none")])
    let producer = try KafkaProducer(connection) { _ in }
    let value = [UInt8](repeating: 120, count: 1024)
    for number in 0..<partitions {
        for _ in 0..<recordsEach {
            try value.withUnsafeBytes { try producer.send(topic: "t", value: $0, partition: number) }
        }
    }
    try producer.flush(timeoutMs: 300_000)
    producer.close()
    for _ in 0..<3 {
        let engine = try measure("partition readers") { try readThroughEngine(connection) }
        let bare = try measure("bare poll loop   ") { readBare(String(cString: servers)) }
        print("  ratio \(Double(Int(engine / bare * 100)) / 100)")
    }
}
