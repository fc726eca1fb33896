/// Where a stretch of samples came from: one Kafka message, or a chunk of lines of a file.
public struct RecordRun: Sendable {
    /// Index of the first sample of this run in the batch.
    public var firstSample: Int
    /// The Kafka offset; for lines of a file, the number of the chunk's first line counted from 0.
    public var offset: Int64
    /// True when each line is a record of its own (files): then `place` counts lines from the chunk's first.
    public var linesAreRecords: Bool

    /// A run that begins at `firstSample`.
    public init(firstSample: Int, offset: Int64, linesAreRecords: Bool) {
        self.firstSample = firstSample
        self.offset = offset
        self.linesAreRecords = linesAreRecords
    }
}

/// Decoded samples of one partition as columns, in record order. Owned and reused by one task; not shared.
///
/// 24 bytes a sample, no allocation a sample in steady state. Decoders append, the task reads and clears.
public final class SampleBatch {
    /// Series index of a sample whose series is beyond `limits.maxSeries`.
    public static let overLimit = UInt32.max

    public private(set) var count = 0
    @usableFromInline var capacity: Int
    /// Series index (in the task's `SeriesDictionary`) of each sample.
    public private(set) var series: UnsafeMutablePointer<UInt32>
    /// 1-based place within its record (message), or within the chunk of lines.
    public private(set) var places: UnsafeMutablePointer<UInt32>
    /// Event time of each sample, ms.
    public private(set) var timestamps: UnsafeMutablePointer<Int64>
    public private(set) var values: UnsafeMutablePointer<Double>
    /// Message text of each event, filled by event formats only (then as many as samples).
    public var messages: [ByteString] = []
    /// Where the samples came from, in order.
    public var runs: [RecordRun] = []
    /// Samples that are staleness markers (their value has the marker's bits). 0 for text formats.
    public private(set) var staleCount = 0
    /// Records (messages, or lines of a file) taken since `clear`.
    public var records = 0
    /// What could not be decoded since `clear`, in record order.
    public private(set) var bad: [BadRecord] = []
    /// For each bad record the newest time among the batch's samples before it; `Int64.min` where there is none, ms.
    private(set) var newestBeforeBadMs: [Int64] = []
    private var looked = (samples: 0, newestMs: Int64.min)

    /// The bits of Prometheus's staleness marker (`model/value` in Prometheus).
    public static let staleBits: UInt64 = 0x7ff0_0000_0000_0002

    /// An empty batch with room for `capacity` samples.
    public init(capacity: Int = 4096) {
        self.capacity = max(capacity, 16)
        series = .allocate(capacity: self.capacity)
        places = .allocate(capacity: self.capacity)
        timestamps = .allocate(capacity: self.capacity)
        values = .allocate(capacity: self.capacity)
    }

    deinit {
        series.deallocate()
        places.deallocate()
        timestamps.deallocate()
        values.deallocate()
    }

    /// How many samples fit before memory grows.
    public var roomForSamples: Int { capacity }

    /// Takes a record, line or element that cannot be used, at its place among the samples.
    public func reject(_ record: BadRecord) {
        for row in looked.samples..<count { looked.newestMs = max(looked.newestMs, timestamps[row]) }
        looked.samples = count
        bad.append(record)
        newestBeforeBadMs.append(looked.newestMs)
    }

    /// Forgets all samples, runs and bad records; keeps the memory.
    public func clear() {
        count = 0
        staleCount = 0
        records = 0
        runs.removeAll(keepingCapacity: true)
        bad.removeAll(keepingCapacity: true)
        newestBeforeBadMs.removeAll(keepingCapacity: true)
        looked = (0, .min)
        messages.removeAll(keepingCapacity: true)
    }

    /// Opens a run: samples appended from here on belong to this record.
    public func beginRun(offset: Int64, linesAreRecords: Bool) {
        runs.append(RecordRun(firstSample: count, offset: offset, linesAreRecords: linesAreRecords))
    }

    /// Appends a sample.
    @inline(__always)
    public func append(series id: UInt32, timestampMs: Int64, value: Double, place: UInt32) {
        if count == capacity { grow() }
        series[count] = id
        places[count] = place
        timestamps[count] = timestampMs
        values[count] = value
        count &+= 1
    }

    /// Appends a staleness marker: it moves the watermark and enters no aggregate (SEMANTICS §1).
    public func appendStale(series id: UInt32, timestampMs: Int64, place: UInt32) {
        append(series: id, timestampMs: timestampMs, value: Double(bitPattern: Self.staleBits), place: place)
        staleCount += 1
    }

    /// Leaves only samples with these event times. Records and bad records stay counted. O(samples).
    func keep(_ timesMs: Range<Int64>) {
        var kept = 0
        var run = 0
        let hasMessages = messages.count == count
        for row in 0..<count {
            while run < runs.count, runs[run].firstSample == row {
                runs[run].firstSample = kept
                run += 1
            }
            guard timesMs.contains(timestamps[row]) else {
                if staleCount > 0, values[row].bitPattern == Self.staleBits { staleCount -= 1 }
                continue
            }
            series[kept] = series[row]
            places[kept] = places[row]
            timestamps[kept] = timestamps[row]
            values[kept] = values[row]
            if hasMessages { messages[kept] = messages[row] }
            kept += 1
        }
        while run < runs.count {
            runs[run].firstSample = kept
            run += 1
        }
        if hasMessages { messages.removeLast(count - kept) }
        count = kept
    }

    /// Record offset and 1-based place of a sample. O(log runs).
    public func position(of sample: Int) -> (offset: Int64, line: Int) {
        var low = 0
        var high = runs.count - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if runs[middle].firstSample <= sample { low = middle } else { high = middle - 1 }
        }
        guard !runs.isEmpty else { return (0, Int(places[sample])) }
        let run = runs[low]
        let place = Int(places[sample])
        guard run.linesAreRecords else { return (run.offset, place) }
        return (run.offset + Int64(place) - 1, Int(run.offset) + place)
    }

    @inline(never)
    private func grow() {
        func moved<T>(_ old: UnsafeMutablePointer<T>, _ newCapacity: Int) -> UnsafeMutablePointer<T> {
            let new = UnsafeMutablePointer<T>.allocate(capacity: newCapacity)
            new.moveInitialize(from: old, count: count)
            old.deallocate()
            return new
        }
        let newCapacity = capacity * 2
        series = moved(series, newCapacity)
        places = moved(places, newCapacity)
        timestamps = moved(timestamps, newCapacity)
        values = moved(values, newCapacity)
        capacity = newCapacity
    }
}
