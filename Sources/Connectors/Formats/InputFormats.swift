import StreamEngine

/// Every input format a job's `format:` may name.
public enum InputFormats {
    /// One line for each; a test compares names.
    public static let all: [any Format] = [
        PrometheusTextFormat(),
        OpenMetricsTextFormat(),
        SampleJSONFormat(),
        EventJSONFormat(),
        RemoteWriteFormat(),
    ]

    /// The format of that name.
    public static func named(_ name: String) -> (any Format)? { all.first { $0.name == name } }
}
