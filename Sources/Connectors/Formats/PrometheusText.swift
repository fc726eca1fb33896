import StreamEngine

/// Prometheus text exposition 0.0.4, with the quoted names of Prometheus 3. Timestamps are integer milliseconds.
public struct PrometheusTextFormat: Format {
    /// The format; it has no options.
    public init() {}

    public var name: String { "prometheus" }
    public var summary: String { "Prometheus text exposition: any number of lines in a message, timestamps in ms" }
    public var kind: RecordKind { .samples }

    public func makeDecoder(limits: DecodeLimits) -> any RecordDecoder {
        ExpositionDecoder<PrometheusDialect>(limits: limits)
    }
}

enum PrometheusDialect: ExpositionDialect {
    @inline(__always)
    static func scanTimestamp(_ at: inout BytePointer, _ end: BytePointer) -> DecimalTime {
        DecimalTime.scanInteger(&at, end)
    }

    static var isOpenMetrics: Bool { false }
}
