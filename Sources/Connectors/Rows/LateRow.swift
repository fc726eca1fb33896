import StreamEngine

/// A late sample as the `late` side output writes it (JOBS.md "A late row").
public struct LateRow: Sendable {
    public let query: String
    /// The partition the sample came in.
    public let partition: PartitionID
    /// The Kafka offset; in a file, the number of the line counted from 0.
    public let offset: Int64
    /// 1-based place in the message; in a file, the number of the line.
    public let line: Int
    public let timestampMs: Int64
    public let value: Double
    public let series: SeriesLabels
    /// The end of the newest window it missed.
    public let windowEndMs: Int64
    /// How far behind its partition's watermark it was.
    public let latenessMs: Int64

    /// A late sample at its place.
    public init(
        query: String, partition: PartitionID, offset: Int64, line: Int, timestampMs: Int64, value: Double,
        series: SeriesLabels, windowEndMs: Int64, latenessMs: Int64
    ) {
        self.query = query
        self.partition = partition
        self.offset = offset
        self.line = line
        self.timestampMs = timestampMs
        self.value = value
        self.series = series
        self.windowEndMs = windowEndMs
        self.latenessMs = latenessMs
    }

    /// The row as a JSON object, times in RFC 3339, the metric's name among the labels as `__name__`.
    public var json: [UInt8] {
        var out = JSONObject()
        out.add("query", text: query.utf8)
        out.add("topic", text: partition.topic.utf8)
        out.add("partition", integer: Int64(partition.partition))
        out.add("offset", integer: offset)
        out.add("line", integer: Int64(line))
        out.add("timestamp", timeMs: timestampMs)
        out.add("value", number: value)
        var labels = JSONObject()
        if !series.name.isEmpty { labels.add("__name__", text: series.name.bytes) }
        for label in series.labels { labels.add(label.name.bytes, text: label.value.bytes) }
        out.add("labels", raw: labels.closed)
        out.add("window_end", timeMs: windowEndMs)
        out.add("latenessMs", integer: latenessMs)
        return out.closed
    }
}
