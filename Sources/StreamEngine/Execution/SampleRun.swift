import Platform

/// Samples in record order, as checkpoints write them: series as varints, times as differences, values by their bits.
struct SampleRun {
    private(set) var series: [UInt32] = []
    private(set) var timestampsMs: [Int64] = []
    private(set) var values: [Double] = []

    init() {}

    var count: Int { series.count }

    mutating func append(
        _ newSeries: ArraySlice<UInt32>, _ newTimesMs: ArraySlice<Int64>, _ newValues: ArraySlice<Double>
    ) {
        series.append(contentsOf: newSeries)
        timestampsMs.append(contentsOf: newTimesMs)
        values.append(contentsOf: newValues)
    }

    func encode(to writer: inout ByteWriter) {
        writer.writeVarint(UInt64(series.count))
        for id in series { writer.writeVarint(UInt64(id)) }
        var last: Int64 = 0
        for time in timestampsMs {
            writer.writeZigzag(time &- last)
            last = time
        }
        for number in values { writer.write(number) }
    }

    /// Reads back what `encode` wrote, bit for bit. Hostile bytes are a failure; nothing is allocated on their word, and
    /// no series is outside `0..<seriesBound`.
    init(from reader: inout ByteReader, seriesBound: Int) throws(DecodingFailure) {
        let count = try reader.readVarint()
        // A sample takes 10 bytes at least.
        guard count <= UInt64(reader.remaining / 10) else {
            throw DecodingFailure("\(count) samples in \(reader.remaining) bytes")
        }
        for _ in 0..<count {
            let id = try reader.readVarint()
            guard id < UInt64(seriesBound) else { throw DecodingFailure("series \(id) of \(seriesBound)") }
            series.append(UInt32(id))
        }
        var last: Int64 = 0
        for _ in 0..<count {
            last &+= try reader.readZigzag()
            timestampsMs.append(last)
        }
        for _ in 0..<count { values.append(try reader.readDouble()) }
    }
}

/// Checkpoints.
extension SampleLog {
    /// Writes what is held. Samples that windows have seen come series by series in time order, the rest in record order;
    /// windows evaluated from either are the same.
    public func encode(to writer: inout ByteWriter) {
        var run = SampleRun()
        if let base {
            for (entry, id) in base.series.enumerated() {
                let range = base.range(entry)
                let times = UnsafeBufferPointer(start: base.timestampsMs + range.lowerBound, count: range.count)
                let numbers = UnsafeBufferPointer(start: base.values + range.lowerBound, count: range.count)
                run.append(
                    ArraySlice(repeating: id, count: range.count), ArraySlice(times), ArraySlice(numbers))
            }
        }
        run.append(series[...], timestampsMs[...], values[...])
        run.encode(to: &writer)
        noteSaved()
    }

    /// Writes the samples appended since the last call of this or `encode`.
    public func encodeChanges(to writer: inout ByteWriter) {
        var run = spilled
        let from = unsavedFrom ?? 0
        run.append(series[from...], timestampsMs[from...], values[from...])
        run.encode(to: &writer)
        noteSaved()
    }

    private func noteSaved() {
        spilled = SampleRun()
        if unsavedFrom != nil { unsavedFrom = series.count }
    }

    /// Whether samples were appended since the last checkpoint.
    public var hasChanges: Bool { spilled.count > 0 || (unsavedFrom.map { $0 < series.count } ?? false) }

    /// Appends what `encode` or `encodeChanges` wrote. Gives how many samples that were.
    @discardableResult
    public func append(from reader: inout ByteReader, seriesBound: Int) throws(DecodingFailure) -> Int {
        let run = try SampleRun(from: &reader, seriesBound: seriesBound)
        run.series.withUnsafeBufferPointer { ids in
            run.values.withUnsafeBufferPointer { numbers in
                run.timestampsMs.withUnsafeBufferPointer { times in
                    guard let values = numbers.baseAddress, let timestampsMs = times.baseAddress else { return }
                    append(series: ids, values: values, timestampsMs: timestampsMs)
                }
            }
        }
        if unsavedFrom != nil { unsavedFrom = series.count }
        return run.count
    }
}
