import Platform

/// The samples of one pane that per-series functions need: columns, appended in record order.
///
/// 20 bytes a sample while open. Append-only, so that a frozen window keeps a prefix of it by its length alone, while
/// later samples of the pane still come for younger windows.
public final class SampleLog {
    /// Local series index of each sample.
    public private(set) var series: [UInt32] = []
    public private(set) var timestampsMs: [Int64] = []
    public private(set) var values: [Double] = []
    private var sorted: SortedSamples?

    public init() {}

    /// Samples held.
    public var count: Int { series.count }

    /// Bytes held.
    public var byteCount: Int {
        series.capacity * 4 + timestampsMs.capacity * 8 + values.capacity * 8 + (sorted?.byteCount ?? 0)
    }

    /// Appends rows in record order.
    public func append(
        series newSeries: UnsafeBufferPointer<UInt32>, values newValues: UnsafePointer<Double>,
        timestampsMs newTimes: UnsafePointer<Int64>
    ) {
        series.append(contentsOf: newSeries)
        values.append(contentsOf: UnsafeBufferPointer(start: newValues, count: newSeries.count))
        timestampsMs.append(contentsOf: UnsafeBufferPointer(start: newTimes, count: newSeries.count))
    }

    /// Writes the samples in record order: series as varints, times as differences, values by their bits.
    public func encode(to writer: inout ByteWriter) {
        writer.writeVarint(UInt64(count))
        for id in series { writer.writeVarint(UInt64(id)) }
        var last: Int64 = 0
        for time in timestampsMs {
            let step = time &- last
            // Zigzag: small differences of either sign take few bytes.
            writer.writeVarint(UInt64(bitPattern: (step << 1) ^ (step >> 63)))
            last = time
        }
        for value in values { writer.write(value) }
    }

    /// Reads back what `encode` wrote, bit for bit. Hostile bytes are a failure; nothing is allocated on their word.
    public convenience init(from reader: inout ByteReader) throws(DecodingFailure) {
        self.init()
        let count = try reader.readVarint()
        // A sample takes 10 bytes at least.
        guard count <= UInt64(reader.remaining / 10) else {
            throw DecodingFailure("\(count) samples in \(reader.remaining) bytes")
        }
        for _ in 0..<count {
            guard let id = UInt32(exactly: try reader.readVarint()) else {
                throw DecodingFailure("a series index of more than 32 bits")
            }
            series.append(id)
        }
        var last: Int64 = 0
        for _ in 0..<count {
            let zigzag = try reader.readVarint()
            last &+= Int64(bitPattern: zigzag >> 1) ^ -Int64(bitPattern: zigzag & 1)
            timestampsMs.append(last)
        }
        for _ in 0..<count { values.append(try reader.readDouble()) }
    }

    /// The first `count` samples by series, each series in time order; of several samples of one time the first counts
    /// (SEMANTICS §2). Kept until samples follow. O(n) for input in time order.
    public func sortedPrefix(_ count: Int) -> SortedSamples {
        if let sorted, sorted.prefix == count { return sorted }
        let made = SortedSamples(self, prefix: count)
        sorted = made
        return made
    }
}

/// Samples grouped by series and in time order: flat columns, read without a reference count a sample.
public final class SortedSamples {
    /// How many samples of the log it was made from.
    let prefix: Int
    /// Local series that occur, ascending.
    public private(set) var series: [UInt32] = []
    /// Where each series' samples begin; one more entry than `series`.
    private(set) var starts: [Int] = []
    /// Columns of `capacity` samples, of which those named by `starts` count.
    let timestampsMs: UnsafeMutablePointer<Int64>
    let values: UnsafeMutablePointer<Double>

    var byteCount: Int { series.capacity * 12 + prefix * 16 }

    deinit {
        timestampsMs.deallocate()
        values.deallocate()
    }

    init(_ log: SampleLog, prefix: Int) {
        self.prefix = prefix
        timestampsMs = .allocate(capacity: max(prefix, 1))
        values = .allocate(capacity: max(prefix, 1))
        var bound = 0
        for i in 0..<prefix { bound = max(bound, Int(log.series[i]) + 1) }
        var counts = [Int](repeating: 0, count: bound)
        for i in 0..<prefix { counts[Int(log.series[i])] += 1 }
        var next = [Int](repeating: 0, count: bound)
        var total = 0
        for id in 0..<bound where counts[id] > 0 {
            series.append(UInt32(id))
            starts.append(total)
            next[id] = total
            total += counts[id]
        }
        starts.append(total)
        for i in 0..<prefix {
            let id = Int(log.series[i])
            timestampsMs[next[id]] = log.timestampsMs[i]
            values[next[id]] = log.values[i]
            next[id] += 1
        }
        sortEachByTime()
    }

    /// Stable by time within each series, then drops all but the first of one time.
    private func sortEachByTime() {
        var write = 0
        var newStarts: [Int] = []
        newStarts.reserveCapacity(starts.count)
        for entry in 0..<series.count {
            let range = starts[entry]..<starts[entry + 1]
            var inOrder = true
            for i in range.dropFirst() where timestampsMs[i] <= timestampsMs[i - 1] {
                inOrder = false
                break
            }
            newStarts.append(write)
            if inOrder {
                if write != range.lowerBound {
                    for i in range {
                        timestampsMs[write + i - range.lowerBound] = timestampsMs[i]
                        values[write + i - range.lowerBound] = values[i]
                    }
                }
                write += range.count
                continue
            }
            let rows = range.map { (timestampsMs[$0], values[$0], $0) }.sorted { ($0.0, $0.2) < ($1.0, $1.2) }
            var last: Int64?
            for row in rows where row.0 != last {
                last = row.0
                timestampsMs[write] = row.0
                values[write] = row.1
                write += 1
            }
        }
        newStarts.append(write)
        starts = newStarts
    }

    /// The samples of the series at `entry`.
    func range(_ entry: Int) -> Range<Int> { starts[entry]..<starts[entry + 1] }
}
