import Platform
import StreamEngine

/// What a replay has instead of a cluster: each topic a job writes to is a directory of JSON lines under the output
/// directory. Sinks that write to one topic share its files, as they would share the topic.
public final class TopicFiles {
    private let root: OutputRoot
    private let gatherMs: Int64
    private let files: any FileSystem
    private let clock: any Clock
    private var topics: [String: JSONLSink] = [:]

    /// Topics under `root`; `gatherMs` as in `SinkContext`.
    public init(
        root: OutputRoot, gatherMs: Int64, files: any FileSystem = PosixFileSystem(), clock: any Clock = SystemClock()
    ) {
        self.root = root
        self.gatherMs = gatherMs
        self.files = files
        self.clock = clock
    }

    /// A sink in place of a Kafka sink: each message is a line, rows written in `format` (nil for documents) of `query`.
    public func sink(topic: String, format: (any RowFormat)?, query: String) throws(SinkError) -> any Sink {
        TopicFileSink(try shared(topic), encoder: format?.makeEncoder(query: query))
    }

    private func shared(_ topic: String) throws(SinkError) -> JSONLSink {
        if let sink = topics[topic] { return sink }
        var settings = JSONLSettings()
        settings.gatherMs = gatherMs
        let sink = try JSONLSink(
            directory: root.directory(topic: topic), settings: settings, encoder: nil, files: files, clock: clock)
        topics[topic] = sink
        return sink
    }
}

/// One sink's share in the files of a topic. Epochs are those of the shared sink, which takes each step once however
/// often it is told to.
private final class TopicFileSink: EncodedRowSink {
    private let shared: JSONLSink
    private let encoder: (any RowEncoder)?
    private var encoded = EncodedRows()

    init(_ shared: JSONLSink, encoder: (any RowEncoder)?) {
        self.shared = shared
        self.encoder = encoder
    }

    var description: String { shared.description }
    var written: (files: Int, bytes: Int64)? { shared.written }

    func write(_ rows: RowBatch, _ info: EmissionInfo) throws(SinkError) {
        // Made with an encoder wherever rows come (`JobSinks`: `SinkInput.rows`).
        guard let encoder else { preconditionFailure("\(description) was made for documents") }
        encoded.clear()
        encoder.encode(rows, into: &encoded)
        try shared.write(encoded, info)
    }

    func makeEncoder() -> (any RowEncoder)? { encoder?.another() }
    func write(_ rows: EncodedRows, _ info: EmissionInfo) throws(SinkError) { try shared.write(rows, info) }
    func write(_ documents: DocumentBatch, _ info: EmissionInfo) throws(SinkError) { try shared.write(documents, info) }
    func prepare(_ epoch: EpochToken) throws(SinkError) { try shared.prepare(epoch) }
    func publish(_ epoch: EpochToken) throws(SinkError) { try shared.publish(epoch) }
    func discard(_ epoch: EpochToken) { shared.discard(epoch) }
    func abandon(_ epoch: EpochToken) { shared.abandon(epoch) }
    func close() throws(SinkError) { try shared.close() }
}
