/// How long final rows of a live run take: from the Kafka timestamp of the record that closed their window (the broker's
/// clock for topics with LogAppendTime, else the producer's) until the epoch that holds them is decided and published, by the
/// wall clock. Rows that no record closed (all partitions idle, the end of input) are not counted.
struct RowLatency {
    /// Since the start, each row once.
    private(set) var histogram = LatencyHistogram()
    /// The longest of the last epoch that had such rows, ms.
    private(set) var lastMs: Int64?
    /// Rows of the open epoch.
    private var open: [(recordMs: Int64, rows: Int)] = []

    /// Rows were written that a record of `recordMs` closed.
    mutating func wrote(rows: Int, recordMs: Int64) {
        guard rows > 0 else { return }
        if let last = open.last, last.recordMs == recordMs {
            open[open.count - 1].rows += rows
        } else {
            open.append((recordMs, rows))
        }
    }

    /// The open epoch's rows can be read.
    mutating func published(nowMs: Int64) {
        guard !open.isEmpty else { return }
        var longest: Int64 = 0
        for entry in open {
            let ms = max(0, EventTime.difference(nowMs, entry.recordMs))
            histogram.record(ms: ms, times: entry.rows)
            longest = max(longest, ms)
        }
        lastMs = longest
        open.removeAll(keepingCapacity: true)
    }

    /// The open epoch's rows will be made again.
    mutating func discarded() { open.removeAll(keepingCapacity: true) }
}

extension SourceExecution {
    /// The Kafka timestamp of the record that moved the query's watermark in the last slice; nil where none did. A slice is
    /// as fine as this looks: its first record stands for all, which makes latencies longer rather than shorter.
    func closingRecordMs(before: Int64?) -> Int64? {
        guard let watermarkMs, watermarkMs > before ?? .min else { return nil }
        var latest: Int64?
        for task in tasks where task.advanced {
            let start = task.sliceStart
            // Partitions that were there before have closed nothing now.
            guard let recordMs = start.recordMs, start.watermarkMs ?? .min < watermarkMs else { continue }
            latest = max(latest ?? .min, recordMs)
        }
        return latest
    }

    /// The same for partition-local queries, where any partition that advanced may have closed a window: the oldest.
    var closingRecordOfAnyMs: Int64? { tasks.lazy.filter(\.advanced).compactMap(\.sliceStart.recordMs).min() }
}
