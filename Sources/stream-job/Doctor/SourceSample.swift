import StreamEngine

/// What was read of one partition.
struct PartitionSample {
    let id: PartitionID
    /// Records the partition holds.
    let held: Int64
    /// Records read.
    var records = 0
    /// Smallest and largest event time of the samples read, ms.
    var timesMs: ClosedRange<Int64>?
    /// Smallest and largest of the records' own times, ms.
    var recordTimesMs: ClosedRange<Int64>?

    static func widen(_ range: inout ClosedRange<Int64>?, _ timeMs: Int64) {
        range = range.map { min($0.lowerBound, timeMs)...max($0.upperBound, timeMs) } ?? timeMs...timeMs
    }
}

/// How a series behaved in what was read.
struct SeriesSample {
    var samples = 0
    var rises = 0
    var falls = 0
    var lastValue = Double.nan
    /// Partitions it was seen in.
    var partitions: Set<PartitionID> = []
}

/// The newest records of a source, decoded.
struct SourceSample {
    let source: SourceDefinition
    var partitions: [PartitionSample] = []
    var series: [SeriesLabels: SeriesSample] = [:]
    var types = MetricTypes()
    var samples = 0
    var bad: [(partition: PartitionID, record: BadRecord)] = []

    var records: Int { partitions.reduce(0) { $0 + $1.records } }

    /// Samples refused because they are too far in the future.
    var future: Int { bad.count { $0.record.reason == .futureTimestamp } }

    /// The newest record's own time, ms.
    var newestRecordMs: Int64? { partitions.compactMap { $0.recordTimesMs?.upperBound }.max() }
}
