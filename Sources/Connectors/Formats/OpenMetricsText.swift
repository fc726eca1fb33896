import StreamEngine

/// OpenMetrics 1.0 text. Timestamps are seconds, exact and floored to milliseconds; exemplars are read past; nothing
/// after `# EOF` is read from a message, while in a file the next exposition begins.
public struct OpenMetricsTextFormat: Format {
    /// The format; it has no options.
    public init() {}

    public var name: String { "openmetrics" }
    public var summary: String { "OpenMetrics 1.0 text: timestamps in seconds, exemplars read past, `# EOF`" }
    public var kind: RecordKind { .samples }

    public func makeDecoder(limits: DecodeLimits) -> any RecordDecoder {
        ExpositionDecoder<OpenMetricsDialect>(limits: limits)
    }
}

enum OpenMetricsDialect: ExpositionDialect {
    @inline(__always)
    static func scanTimestamp(_ at: inout BytePointer, _ end: BytePointer) -> DecimalTime {
        DecimalTime.scanSeconds(&at, end)
    }

    static var isOpenMetrics: Bool { true }
}
