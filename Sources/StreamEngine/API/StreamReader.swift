/// The name of an input format.
public struct StreamFormat: Sendable, Hashable {
    public let name: String

    /// A format by its name in the registry.
    public init(_ name: String) { self.name = name }

    public static let prometheus = StreamFormat("prometheus")
    public static let openmetrics = StreamFormat("openmetrics")
    public static let remoteWrite = StreamFormat("remote-write")
    public static let sampleJSON = StreamFormat("sample-json")
    public static let eventJSON = StreamFormat("event-json")
}

/// Begins streams; got from `Engine.readStream`.
public struct StreamReader: Sendable {
    let engine: Engine

    /// A stream from Kafka topics. `brokers` may be nil for a job that is only replayed. The source is called like its
    /// first topic unless `name` says otherwise.
    public func kafka(
        brokers: String?, topics: [String], format: StreamFormat, startingOffsets: StartingOffsets = .earliest,
        options: [String: String] = [:], name: String? = nil
    ) -> DataStream {
        stream(
            brokers, .topics(topics), format, startingOffsets, options,
            name: name ?? topics.first.map(StreamReader.identifier) ?? "source")
    }

    /// A stream from all topics whose names match an RE2 expression; new ones join.
    public func kafka(
        brokers: String?, pattern: String, format: StreamFormat, startingOffsets: StartingOffsets = .earliest,
        options: [String: String] = [:], name: String
    ) -> DataStream {
        stream(brokers, .pattern(pattern), format, startingOffsets, options, name: name)
    }

    private func stream(
        _ brokers: String?, _ topics: TopicSelection, _ format: StreamFormat, _ offsets: StartingOffsets,
        _ options: [String: String], name: String
    ) -> DataStream {
        var source = SourceDefinition(name: name, topics: topics, format: format.name)
        source.startingOffsets = offsets
        let settings = options.sorted { $0.key < $1.key }.map { KafkaConnection.Setting($0.key, $0.value) }
        return DataStream(
            engine: engine, kafka: KafkaConnection(brokers: brokers, options: settings), source: source)
    }

    /// A topic's name as a source's: dots become hyphens.
    private static func identifier(_ topic: String) -> String { String(topic.map { $0 == "." ? "-" : $0 }) }
}

extension Duration {
    /// So many minutes.
    public static func minutes(_ count: Int) -> Duration { .seconds(count * 60) }
    /// So many hours.
    public static func hours(_ count: Int) -> Duration { .seconds(count * 3600) }
    /// So many days of 24 hours.
    public static func days(_ count: Int) -> Duration { .seconds(count * 86_400) }

    /// Whole milliseconds, rounded towards zero; a duration beyond `DurationText.maxMs` gives more than that.
    var wholeMs: Int64 {
        let (seconds, attoseconds) = components
        guard seconds.magnitude < UInt64(DurationText.maxMs) else { return seconds < 0 ? -.max / 4 : .max / 4 }
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
