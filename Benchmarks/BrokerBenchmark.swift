import CRdkafka
import EmbeddedBroker
import Glibc
import Platform
import StreamEngine

// The embedded broker between librdkafka and librdkafka, all in this process on loopback: one partition, 400,000 records
// of 1 KB, uncompressed and lz4, in memory and on disk; then 300,000 records of 100 bytes in transactions of 100 ms.
// "broker CPU" is the time its one thread ran: what the rate would be if nothing else took part.

private let recordCount = 400_000
private let recordBytes = 1024

private func client(
    _ type: rd_kafka_type_t, _ port: UInt16, _ settings: [(String, String)]
) throws -> OpaquePointer {
    var text = [CChar](repeating: 0, count: 512)
    let conf = rd_kafka_conf_new()
    for (name, value) in settings + [("bootstrap.servers", "127.0.0.1:\(port)")] {
        if rd_kafka_conf_set(conf, name, value, &text, text.count) != RD_KAFKA_CONF_OK {
            throw JobFailure(
                "\(name): \(String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))")
        }
    }
    guard let handle = rd_kafka_new(type, conf, &text, text.count) else {
        throw JobFailure("librdkafka makes no client")
    }
    return handle
}

/// Seconds the thread called `broker` has run.
private func brokerSeconds() -> Double {
    guard let folder = opendir("/proc/self/task") else { return 0 }
    defer { closedir(folder) }
    var ticks = 0.0
    while let entry = readdir(folder) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        guard let file = fopen("/proc/self/task/\(name)/stat", "r") else { continue }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 1024)
        guard fgets(&line, Int32(line.count), file) != nil else { continue }
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard text.contains("(broker)") else { continue }
        let fields = text.split(separator: " ")
        if fields.count > 14 { ticks += (Double(fields[13]) ?? 0) + (Double(fields[14]) ?? 0) }
    }
    return ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
}

private func measure(_ name: String, bytes: Int, _ body: () throws -> Void) rethrows {
    let clock = SystemClock()
    let startNs = clock.monotonicNs()
    let cpuBefore = brokerSeconds()
    try body()
    let seconds = Double(clock.monotonicNs() - startNs) / 1e9
    let cpu = brokerSeconds() - cpuBefore
    let rate = Int(Double(bytes) / seconds / 1e6)
    print("  \(name): \(rate) MB/s, \(Int(seconds * 1000)) ms; broker CPU \(Int(cpu * 1000)) ms")
}

private func produce(_ port: UInt16, topic: String, codec: String) throws {
    let settings = [
        ("compression.codec", codec), ("linger.ms", "5"), ("batch.size", "1000000"),
        ("queue.buffering.max.messages", "1000000"), ("queue.buffering.max.kbytes", "262144"),
    ]
    let handle = try client(RD_KAFKA_PRODUCER, port, settings)
    let target = rd_kafka_topic_new(handle, topic, nil)
    // Every other byte random and no two records alike within lz4's window: it has work to do and little to gain.
    var pool = [UInt8](repeating: 120, count: 4 << 20)
    var state: UInt64 = 1
    for index in stride(from: 0, to: pool.count, by: 2) {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        pool[index] = UInt8(truncatingIfNeeded: state >> 56)
    }
    let flags = RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK
    for number in 0..<recordCount {
        let at = number * 1153 % (pool.count - recordBytes)
        _ = pool.withUnsafeMutableBytes { bytes in
            bytes.baseAddress.map { rd_kafka_produce(target, 0, flags, $0 + at, recordBytes, nil, 0, nil) }
        }
        if number % 1000 == 0 { rd_kafka_poll(handle, 0) }
    }
    let isSent = rd_kafka_flush(handle, 120_000) == RD_KAFKA_RESP_ERR_NO_ERROR
    rd_kafka_topic_destroy(target)
    rd_kafka_destroy(handle)
    guard isSent else { throw JobFailure("the broker did not take all records in two minutes") }
}

private func consume(_ port: UInt16, topic: String) throws {
    let settings = [
        ("group.id", "bench"), ("enable.auto.commit", "false"), ("queued.max.messages.kbytes", "131072"),
        ("fetch.message.max.bytes", "8388608"), ("check.crcs", "false"),
    ]
    let handle = try client(RD_KAFKA_CONSUMER, port, settings)
    rd_kafka_poll_set_consumer(handle)
    let list = rd_kafka_topic_partition_list_new(1)
    rd_kafka_topic_partition_list_add(list, topic, 0).pointee.offset = 0
    rd_kafka_assign(handle, list)
    let queue = rd_kafka_queue_get_consumer(handle)
    var messages = [UnsafeMutablePointer<rd_kafka_message_t>?](repeating: nil, count: 10_000)
    var seen = 0
    while seen < recordCount {
        let count = rd_kafka_consume_batch_queue(queue, 100, &messages, messages.count)
        guard count >= 0 else { throw JobFailure("librdkafka gives no batch") }
        for message in messages.prefix(count) {
            if message?.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR { seen += 1 }
            rd_kafka_message_destroy(message)
        }
    }
    rd_kafka_queue_destroy(queue)
    rd_kafka_topic_partition_list_destroy(list)
    rd_kafka_consumer_close(handle)
    rd_kafka_destroy(handle)
}

private func transact(_ port: UInt16) throws {
    let settings = [("transactional.id", "bench"), ("linger.ms", "5"), ("queue.buffering.max.messages", "1000000")]
    let handle = try client(RD_KAFKA_PRODUCER, port, settings)
    var value = [UInt8](repeating: 120, count: 100)
    func check(_ error: OpaquePointer?) throws {
        guard let error else { return }
        defer { rd_kafka_error_destroy(error) }
        throw JobFailure("transaction: \(String(cString: rd_kafka_error_string(error)))")
    }
    try check(rd_kafka_init_transactions(handle, 10_000))
    let target = rd_kafka_topic_new(handle, "transactions", nil)
    let clock = SystemClock()
    var sent = 0
    while sent < 300_000 {
        try check(rd_kafka_begin_transaction(handle))
        let endNs = clock.monotonicNs() + 100_000_000
        while clock.monotonicNs() < endNs && sent < 300_000 {
            for _ in 0..<1000 {
                _ = value.withUnsafeMutableBytes {
                    rd_kafka_produce(
                        target, 0, RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK, $0.baseAddress, $0.count, nil, 0, nil)
                }
            }
            sent += 1000
            rd_kafka_poll(handle, 0)
        }
        try check(rd_kafka_commit_transaction(handle, 30_000))
    }
    rd_kafka_topic_destroy(target)
    rd_kafka_destroy(handle)
}

/// Prints rates each way.
func runBrokerBenchmark() throws {
    print("broker: \(recordCount) records of \(recordBytes) bytes, one partition")
    var template = Array("/tmp/broker-benchmark-XXXXXX".utf8CString)
    guard let path = mkdtemp(&template) else { throw JobFailure("no directory in /tmp: errno \(errno)") }
    let folder = String(cString: path)
    defer { _ = try? PosixFileSystem().removeTree(folder) }
    for directory in [nil, folder] {
        var configuration = BrokerConfiguration()
        configuration.dataDirectory = directory
        configuration.topics = ["none", "lz4", "transactions"].map { .init($0) }
        let broker = EmbeddedBroker(configuration)
        let startNs = SystemClock().monotonicNs()
        let port = try broker.start()
        defer { broker.stop() }
        let place = directory == nil ? "memory" : "disk"
        print("  \(place): started in \((SystemClock().monotonicNs() - startNs) / 1000) µs")
        for codec in ["none", "lz4"] {
            let bytes = recordCount * recordBytes
            try measure("\(place) \(codec) produce", bytes: bytes) { try produce(port, topic: codec, codec: codec) }
            try measure("\(place) \(codec) consume", bytes: bytes) { try consume(port, topic: codec) }
        }
        try measure("\(place) 300,000 records of 100 bytes in transactions of 100 ms", bytes: 30_000_000) {
            try transact(port)
        }
    }
}
