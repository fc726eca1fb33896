/// Everything that can be named in a job, put together in one place by the program and passed in: no globals.
public struct Registries: Sendable {
    /// Input formats.
    public var formats: [any Format]
    public var sinks: [any SinkFactory]
    /// Outer aggregates.
    public var aggregates: [any Aggregate.Type]
    /// Outer aggregates over the buckets of histograms.
    public var bucketAggregates: [any BucketAggregate.Type]
    /// Inner functions, once for each series and window.
    public var seriesFunctions: [any SeriesFunction.Type]
    /// Types of detectors.
    public var detectors: [any DetectorFactory]

    /// What is wrong with a setting meant for librdkafka, which alone knows its settings; nil when nothing is. The
    /// flag says whether it is a producer's.
    public var kafkaSettingCheck: @Sendable (KafkaConnection.Setting, Bool) -> SettingComplaint? = { _, _ in nil }

    /// Everything this program knows.
    public init(
        formats: [any Format], sinks: [any SinkFactory], aggregates: [any Aggregate.Type],
        bucketAggregates: [any BucketAggregate.Type] = [], seriesFunctions: [any SeriesFunction.Type] = [],
        detectors: [any DetectorFactory] = []
    ) {
        self.formats = formats
        self.sinks = sinks
        self.aggregates = aggregates
        self.bucketAggregates = bucketAggregates
        self.seriesFunctions = seriesFunctions
        self.detectors = detectors
    }

    /// The format of this name.
    public func format(_ name: String) -> (any Format)? { formats.first { $0.name == name } }
    /// The sink factory of this kind.
    public func sink(_ kind: String) -> (any SinkFactory)? { sinks.first { $0.kind == kind } }
    /// The aggregate of this name.
    public func aggregate(_ name: String) -> (any Aggregate.Type)? { aggregates.first { $0.name == name } }
    /// The bucket aggregate of this name.
    public func bucketAggregate(_ name: String) -> (any BucketAggregate.Type)? {
        bucketAggregates.first { $0.name == name }
    }
    /// The per-series function of this name.
    public func seriesFunction(_ name: String) -> (any SeriesFunction.Type)? {
        seriesFunctions.first { $0.name == name }
    }
    /// The detector of this type.
    public func detector(_ name: String) -> (any DetectorFactory)? { detectors.first { $0.name == name } }
}

/// What is wrong with a setting.
public struct SettingComplaint: Sendable {
    public let message: String
    /// What to do.
    public let label: String

    /// A complaint in words.
    public init(_ message: String, label: String = "") {
        self.message = message
        self.label = label
    }
}
