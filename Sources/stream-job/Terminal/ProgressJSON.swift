import StreamEngine

/// Progress for programs, in records of `--log-format json`.
extension QueryProgress {
    /// `epoch` is null before the first; `lag` in records, null where the broker has not told; `late` and `bad` since the start.
    var json: JSONValue {
        .object([
            ("epoch", epoch < 0 ? .null : .integer(epoch)), ("samples", .integer(samples)),
            ("samplesPerSecond", .number(samplesPerSecond)), ("rows", .integer(rows)),
            ("anomalies", .integer(anomalies)), ("commitMs", .number(commitMs)),
            ("lag", lag.map { .integer(Int($0)) } ?? .null), ("latency", latency?.json ?? .null),
            ("late", .integer(late)), ("bad", .integer(bad)), ("sources", .array(sources.map(\.json))),
        ])
    }
}

extension QueryProgress.Source {
    var json: JSONValue {
        .object([
            ("name", .string(name)), ("watermark", watermarkMs.map { .string(EventTime.rfc3339($0)) } ?? .null),
            ("holder", holder.map { .string($0.description) } ?? .null),
            ("holderQuietMs", holderQuietMs.map { .integer(Int($0)) } ?? .null),
            ("partitions", .integer(partitions)), ("idle", .integer(idle)),
        ])
    }
}

extension LatencyFigures {
    var json: JSONValue {
        .object([
            ("rows", .integer(rows)), ("p50Ms", .integer(Int(p50Ms))), ("p99Ms", .integer(Int(p99Ms))),
            ("maxMs", .integer(Int(maxMs))),
        ])
    }
}

extension ReplayProgress {
    var json: JSONValue {
        .object([
            ("consumedBytes", .integer(Int(consumedBytes))), ("totalBytes", .integer(Int(totalBytes))),
            ("samples", .integer(samples)), ("seconds", .number(seconds)),
            ("eventTime", eventTimeMs.map { .string(EventTime.rfc3339($0)) } ?? .null),
        ])
    }
}
