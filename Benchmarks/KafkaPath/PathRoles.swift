import CAllocations
import CRdkafka
import Connectors
import EmbeddedBroker
import Glibc
import Operators
import Platform
import StreamEngine

/// What one process of `kafka-path` has measured: a line of numbers on its standard output.
struct PathFigures {
    var samples = 0
    /// Of this program's threads, librdkafka's left out.
    var ownSeconds = 0.0
    /// Of all threads.
    var allSeconds = 0.0
    var wallSeconds = 0.0
    /// Whole process.
    var peakRSSBytes: Int64 = 0

    var line: String { "\(samples) \(ownSeconds) \(allSeconds) \(wallSeconds) \(peakRSSBytes)" }

    init() {}

    init?(line: String) {
        let parts = line.split(separator: " ")
        guard parts.count == 5, let samples = Int(parts[0]), let own = Double(parts[1]), let all = Double(parts[2]),
            let wall = Double(parts[3]), let peak = Int64(parts[4])
        else { return nil }
        (self.samples, ownSeconds, allSeconds, wallSeconds, peakRSSBytes) = (samples, own, all, wall, peak)
    }

    /// From these times until now.
    mutating func end(since before: ThreadTimes, startNs: Int64, own: (ThreadTimes) -> Double = \.own) {
        let after = ThreadTimes()
        ownSeconds = own(after) - own(before)
        allSeconds = after.all - before.all
        wallSeconds = Double(SystemClock().monotonicNs() - startNs) / 1e9
        peakRSSBytes = ProcessMemory.peakRSSBytes()
    }
}

/// The processes of `kafka-path`, each started by the benchmark as `benchmarks kafka-path ROLE ARGUMENT…`.
enum PathRoles {
    static let names = ["broker", "feed", "bare", "replay", "live"]

    /// Plays a role and ends the process; returns where there is none of that name.
    static func play(_ arguments: [String]) throws {
        guard let role = arguments.first else { return }
        let rest = Array(arguments.dropFirst())
        // Without the benchmark nobody would end them, or read what they measure. The broker knows by its standard input.
        if role != "broker" { c_end_with_parent() }
        switch role {
        case "broker": try broker(rest[0])
        case "feed": try feed(rest[0], PathInput(rest.dropFirst()) ?? PathInput())
        case "bare": print(try bare(rest[0], PathInput(rest.dropFirst()) ?? PathInput()).line)
        case "replay": print(try replay(PathInput(rest) ?? PathInput()).line)
        case "live": print(try live(rest[0], rest[1], PathInput(rest.dropFirst(2)) ?? PathInput()).line)
        default: return
        }
        fflush(nil)
        exit(0)
    }

    /// A broker with its data in `directory`, until standard input ends. Then it removes the directory and what others have
    /// there: who started it may be gone.
    private static func broker(_ directory: String) throws {
        for number in [SIGINT, SIGTERM, SIGHUP] { signal(number, SIG_IGN) }
        var configuration = BrokerConfiguration()
        configuration.dataDirectory = "\(directory)/broker"
        configuration.createsTopics = false
        let broker = EmbeddedBroker(configuration)
        print(try broker.start())
        fflush(nil)
        var byte: UInt8 = 0
        while read(STDIN_FILENO, &byte, 1) > 0 {}
        broker.stop()
        try PosixFileSystem().removeTree(directory)
    }

    /// Writes the input: lz4 batches of up to 1 MB, each message to its partition.
    private static func feed(_ brokers: String, _ input: PathInput) throws {
        let connection = KafkaConnection(
            brokers: brokers,
            producerOptions: [
                .init("linger.ms", "20"), .init("batch.size", "1000000"), .init("compression.type", "lz4"),
                .init("queue.buffering.max.messages", "1000000"), .init("queue.buffering.max.kbytes", "262144"),
            ])
        let producer = try KafkaProducer(connection) { _ in }
        try producer.open(topic: "metrics", partitioner: "murmur2", create: (input.partitions, 1))
        try producer.open(topic: "rows", partitioner: "murmur2", create: (1, 1))
        var count = 0
        try input.forEachMessage { partition, bytes in
            try bytes.withUnsafeBytes {
                try producer.send(topic: "metrics", value: $0, partition: Int32(partition))
            }
            count += 1
            if count % 256 == 0 { producer.serve() }
        }
        try producer.flush(timeoutMs: 120_000)
        producer.close()
    }

    /// librdkafka alone, in the way that costs it least: one queue, taken in batches, bytes counted. The settings that
    /// matter are the engine's.
    private static func bare(_ brokers: String, _ input: PathInput) throws -> PathFigures {
        let settings = [
            ("bootstrap.servers", brokers), ("group.id", "bare"), ("queued.max.messages.kbytes", "32768"),
            ("queued.min.messages", "10000000"), ("fetch.message.max.bytes", "1048576"), ("fetch.wait.max.ms", "100"),
            ("isolation.level", "read_committed"), ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
        ]
        let before = ThreadTimes()
        let startNs = SystemClock().monotonicNs()
        var text = [CChar](repeating: 0, count: 512)
        let conf = rd_kafka_conf_new()
        for (name, value) in settings { rd_kafka_conf_set(conf, name, value, &text, text.count) }
        guard let handle = rd_kafka_new(RD_KAFKA_CONSUMER, conf, &text, text.count) else {
            throw JobFailure("librdkafka makes no consumer")
        }
        rd_kafka_poll_set_consumer(handle)
        let list = rd_kafka_topic_partition_list_new(Int32(input.partitions))
        for number in 0..<input.partitions {
            rd_kafka_topic_partition_list_add(list, "metrics", Int32(number)).pointee.offset = 0
        }
        rd_kafka_assign(handle, list)
        let queue = rd_kafka_queue_get_consumer(handle)
        var messages = [UnsafeMutablePointer<rd_kafka_message_t>?](repeating: nil, count: 1000)
        var seen = 0
        var bytes = 0
        while seen < input.messages {
            let count = rd_kafka_consume_batch_queue(queue, 100, &messages, messages.count)
            guard count >= 0 else { throw JobFailure("librdkafka gives no batch") }
            for place in 0..<count {
                guard let message = messages[place] else { continue }
                if message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR {
                    seen += 1
                    bytes += message.pointee.len
                }
                rd_kafka_message_destroy(message)
            }
        }
        var figures = PathFigures()
        figures.end(since: before, startNs: startNs)
        figures.samples = input.samples
        rd_kafka_queue_destroy(queue)
        rd_kafka_topic_partition_list_destroy(list)
        rd_kafka_consumer_close(handle)
        rd_kafka_destroy(handle)
        return figures
    }

    /// The same bytes out of memory through the same job, its rows written as JSON and thrown away; no checkpoint.
    private static func replay(_ input: PathInput) throws -> PathFigures {
        var stores = (0..<input.partitions).map { _ in MessageStore() }
        input.forEachMessage { stores[$0].append($1) }
        let definition = try PathJob.load(brokers: "127.0.0.1:1", checkpoint: "/nonexistent", group: "replay")
        // As `stream-job replay` does.
        ProcessMemory.keepFreedPages(workers: 1)
        let job = try CompiledJob(definition, registries: PathJob.registries)
        let outputs = JobOutputs(
            queries: [QueryOutputs(sinks: [EncodingSink()], late: nil)], deadLetter: nil,
            encodeLate: { _, _, _ in [] }, encodeDeadLetter: { _, _ in [] })
        let execution = JobExecution(
            job: job, outputs: outputs, options: ExecutionOptions(), clock: SystemClock(),
            makeOperator: { PaneWindows(plan: $0, partition: $1, series: $2) })
        let readers = stores.enumerated().map { MessageReader($1, partition: Int32($0)) }
        let before = ThreadTimes()
        let startNs = SystemClock().monotonicNs()
        let summary = try execution.replay([(source: "metrics", readers: readers)], stop: StopRequest()) { _ in }
        var figures = PathFigures()
        figures.end(since: before, startNs: startNs)
        figures.samples = summary.samples
        try check(summary, input, windows: input.windowsBegun)
        return figures
    }

    /// Throws unless a run has seen all samples and has given the rows of so many windows.
    private static func check(_ summary: JobSummary, _ input: PathInput, windows: Int) throws {
        let rows = windows * input.series
        guard summary.samples == input.samples, summary.badRecords == 0, summary.rows == rows else {
            throw JobFailure(
                "\(summary.samples) samples of \(input.samples), \(summary.badRecords) bad records, "
                    + "\(summary.rows) rows of \(rows)")
        }
    }

    /// A member of the group with state and a transaction an epoch, until everything that is there is committed.
    private static func live(_ brokers: String, _ directory: String, _ input: PathInput) throws -> PathFigures {
        var options = ExecutionOptions()
        options.incarnation = EpochToken.randomIncarnation()
        var definition = try PathJob.load(
            brokers: brokers, checkpoint: "\(directory)/checkpoint-\(getpid())", group: "live-\(getpid())")
        definition.trigger = .interval(ms: 1000)
        // As `stream-job run` does.
        ProcessMemory.keepBuffers()
        var run = LiveRun(
            definition, registries: PathJob.registries, options: options, log: { _ in }, kafkaLog: { _ in },
            notice: { print($0) }, makeOperator: { PaneWindows(plan: $0, partition: $1, series: $2) })
        let before = ThreadTimes()
        let startNs = SystemClock().monotonicNs()
        let stop = StopRequest()
        var figures = PathFigures()
        var taken = 0
        run.onProgress = { progress in
            taken += progress.samples
            if taken >= input.samples, !stop.isRequested {
                figures.end(since: before, startNs: startNs)
                if getenv("KAFKA_PATH_THREADS") != nil {
                    for (name, seconds) in ThreadTimes().seconds.sorted(by: { $0.key < $1.key }) {
                        let line = Array("    \(name): \(Int(seconds * 1000)) ms\n".utf8)
                        write(STDERR_FILENO, line, line.count)
                    }
                }
                stop.request()
            }
        }
        guard let summary = try run.run(stop: stop, reach: { true }) else { throw JobFailure("the run was stopped") }
        figures.samples = summary.samples
        try check(summary, input, windows: input.windowsClosed(delayMs: 10_000))
        return figures
    }
}

/// Messages one after the other.
private struct MessageStore {
    var bytes: [UInt8] = []
    var ends: [Int] = []

    mutating func append(_ message: [UInt8]) {
        bytes += message
        ends.append(bytes.count)
    }
}

private final class MessageReader: PartitionReader {
    let id: PartitionID
    private let store: MessageStore
    private var next = 0

    init(_ store: MessageStore, partition: Int32) {
        id = PartitionID(source: "metrics", topic: "metrics", partition: partition)
        self.store = store
    }

    func read(maxBytes: Int, _ body: (RawRecord) throws -> Void) throws -> ReadOutcome {
        var left = maxBytes
        try store.bytes.withUnsafeBufferPointer { bytes in
            while left > 0, next < store.ends.count {
                let start = next == 0 ? 0 : store.ends[next - 1]
                let message = UnsafeBufferPointer(rebasing: bytes[start..<store.ends[next]])
                try body(
                    RawRecord(bytes: message, offset: Int64(next), timestampMs: nil, linesAreRecords: false))
                left -= message.count + 1
                next += 1
            }
        }
        return next < store.ends.count ? .more : .endOfInput
    }

    var progress: (consumed: Int64, total: Int64)? { nil }
    func hibernate() {}
    func close() {}
}

/// Makes each row's JSON, and forgets it.
private final class EncodingSink: Sink {
    private let encoder = JSONRows().makeEncoder(query: "q")
    private var rows = EncodedRows()

    var description: String { "nowhere" }
    var written: (files: Int, bytes: Int64)? { nil }

    func write(_ batch: RowBatch, _ info: EmissionInfo) throws(SinkError) {
        encoder.encode(batch, into: &rows)
        rows.clear()
    }
    func write(_ documents: DocumentBatch, _ info: EmissionInfo) throws(SinkError) {}
    func prepare(_ epoch: EpochToken) throws(SinkError) {}
    func publish(_ epoch: EpochToken) throws(SinkError) {}
    func discard(_ epoch: EpochToken) {}
    func abandon(_ epoch: EpochToken) {}
    func close() throws(SinkError) {}
}
