import Connectors
import Generator
import Platform
import StreamEngine

/// Where a workload goes.
protocol WorkloadTarget: AnyObject {
    /// Takes some samples' text.
    func write(_ bytes: [UInt8], partition: Int, key: String) throws
    /// Takes an event.
    func write(_ event: ClusterEvent) throws
    /// Is called often, and at least every 100 ms while nothing is written.
    func serve() throws
    /// Returns when everything is where it belongs.
    func finish() throws
    /// For the last line: `topic metrics`.
    var description: String { get }
}

/// Topics of a cluster: a message for each scrape, keyed by its node.
final class TopicTarget: WorkloadTarget {
    private let producer: KafkaProducer
    private let topic: String
    private let eventsTopic: String?
    /// Partitions of the metrics' topic.
    let partitions: Int

    /// Makes topics that are not there yet. `partitions` nil: what the topic has, 1 for a new one.
    init(brokers: String, topic: String, eventsTopic: String?, partitions: Int?) throws {
        let connection = KafkaConnection(brokers: brokers)
        let cluster = try KafkaCluster(connection)
        do throws(SourceError) {
            _ = try cluster.brokerCount(timeoutMs: 5000)
        } catch {
            throw SourceError(
                error.kind,
                "broker \(brokers) does not answer: \(cluster.complaints().first ?? error.description); start it, or mend"
                    + " --brokers; for a try: stream-job broker --memory --listen \(brokers)")
        }
        let producer = try KafkaProducer(connection) { Console.logKafka($0) }
        try producer.open(
            topic: topic, partitioner: "murmur2_random", create: (partitions ?? 1, 1), timeoutMs: 10_000)
        if let eventsTopic {
            try producer.open(topic: eventsTopic, partitioner: "murmur2_random", create: (1, 1), timeoutMs: 10_000)
        }
        let found = try cluster.partitionCounts(timeoutMs: 10_000)[topic].map { Int($0) } ?? 1
        if let partitions, partitions != found {
            throw SourceError(
                .configuration,
                "topic \(topic) has \(Plural.of(found, "partition")), not \(partitions); leave --partitions out, or "
                    + "take another topic")
        }
        self.producer = producer
        self.topic = topic
        self.eventsTopic = eventsTopic
        self.partitions = found
    }

    func write(_ bytes: [UInt8], partition: Int, key: String) throws {
        try bytes.withUnsafeBytes {
            try producer.send(topic: topic, key: Array(key.utf8), value: $0, partition: Int32(clamping: partition))
        }
        producer.serve()
    }

    func write(_ event: ClusterEvent) throws {
        guard let eventsTopic else { return }
        try Array(event.json.utf8).withUnsafeBytes {
            try producer.send(topic: eventsTopic, key: Array(event.object.utf8), value: $0, partition: 0)
        }
    }

    func serve() throws { producer.serve() }

    func finish() throws {
        try producer.flush(timeoutMs: 30_000)
        producer.close()
    }

    var description: String { "topic \(topic)" + (eventsTopic.map { " and \($0)" } ?? "") }
}

/// Files under a directory: `metrics/metrics-0.prom` and on, one for each partition, and `events/events-0.jsonl`.
final class FilesTarget: WorkloadTarget {
    private let directory: String
    private var metrics: [any File] = []
    private let events: any File
    private var buffers: [[UInt8]]

    /// Makes the directory; one with something in it is refused.
    init(directory: String, partitions: Int, format: WorkloadFormat) throws {
        let files = PosixFileSystem()
        self.directory = directory
        if let status = try files.status(directory) {
            guard status.kind == .directory, try files.list(directory).isEmpty else {
                throw UsageError("\(directory) is there already and not empty", hint: "give a new directory")
            }
        }
        try files.createDirectories(FilePath.join(directory, "metrics"))
        try files.createDirectories(FilePath.join(directory, "events"))
        // Names sort as numbers do, so that files keep their partition's number in a replay.
        let digits = String(partitions - 1).count
        for number in 0..<partitions {
            let text = String(number)
            let padded = String(repeating: "0", count: digits - text.count) + text
            let name = "metrics/metrics-\(padded).\(format.fileExtension)"
            metrics.append(try files.open(FilePath.join(directory, name), .replace))
        }
        events = try files.open(FilePath.join(directory, "events/events-0.jsonl"), .replace)
        buffers = (0..<partitions).map { _ in [] }
    }

    func write(_ bytes: [UInt8], partition: Int, key: String) throws {
        buffers[partition] += bytes
        guard buffers[partition].count >= 1 << 18 else { return }
        try metrics[partition].writeAll(buffers[partition])
        buffers[partition].removeAll(keepingCapacity: true)
    }

    func write(_ event: ClusterEvent) throws { try events.writeAll(Array((event.json + "\n").utf8)) }

    func serve() throws {}

    func finish() throws {
        for (file, buffer) in zip(metrics, buffers) {
            try file.writeAll(buffer)
            try file.close()
        }
        try events.close()
    }

    var description: String { directory }
}
