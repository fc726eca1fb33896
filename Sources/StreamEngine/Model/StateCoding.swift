import Platform

/// How values of the model are written in checkpoints (`docs/checkpoint-format.md`). Every read is bounded by the bytes there
/// are and fails on what no writer writes.
extension ByteWriter {
    /// A signed number: small ones of either sign take few bytes.
    public mutating func writeZigzag(_ value: Int64) {
        writeVarint(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
    }

    /// A number that is not negative.
    public mutating func writeCount(_ value: Int) { writeVarint(UInt64(max(value, 0))) }

    /// A byte that says whether a number follows, and the number.
    public mutating func writeOptional(_ value: Int64?) {
        write(UInt8(value == nil ? 0 : 1))
        if let value { write(value) }
    }

    public mutating func write(_ text: ByteString) { write(lengthPrefixed: text.bytes) }
    public mutating func write(_ text: String) { write(lengthPrefixed: Array(text.utf8)) }

    /// Ascending numbers as gaps.
    public mutating func writeAscending(_ indices: some Collection<UInt32>) {
        writeCount(indices.count)
        var last: UInt32 = 0
        for index in indices {
            writeVarint(UInt64(index &- last))
            last = index
        }
    }

    public mutating func write(_ labels: SeriesLabels) {
        write(labels.name)
        writeCount(labels.labels.count)
        for label in labels.labels {
            write(label.name)
            write(label.value)
        }
    }

    public mutating func write(_ key: GroupKey) {
        writeCount(key.cells.count)
        for cell in key.cells {
            switch cell {
            case .missing: write(UInt8(0))
            case .text(let text):
                write(UInt8(1))
                write(text)
            case .number(let bits):
                write(UInt8(2))
                write(bits)
            case .label(let label):
                write(UInt8(3))
                write(label.name)
                write(label.value)
            }
        }
    }

    public mutating func write(_ id: PartitionID) {
        write(id.source)
        write(id.topic)
        write(id.partition)
    }

    public mutating func write(_ ledger: QueryLedger) {
        for count in [
            ledger.decoded, ledger.filtered, ledger.aggregated, ledger.late, ledger.partlyLate, ledger.lateAfterIdle,
            ledger.limitDrops,
        ] { writeCount(count) }
    }

    public mutating func write(_ ledger: PartitionLedger) {
        for count in [ledger.records, ledger.decoded, ledger.bad, ledger.future, ledger.staleMarkers] {
            writeCount(count)
        }
        let reasons = ledger.badByReason.sorted { $0.key.rawValue < $1.key.rawValue }
        writeCount(reasons.count)
        for (reason, count) in reasons {
            write(reason.rawValue)
            writeCount(count)
        }
        writeCount(ledger.lost.count)
        for range in ledger.lost {
            write(range.lowerBound)
            write(range.upperBound)
        }
    }
}

extension ByteReader {
    public mutating func readZigzag() throws(DecodingFailure) -> Int64 {
        let value = try readVarint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// A number of things each of which takes `bytesEach` bytes at least.
    public mutating func readCount(bytesEach: Int = 0) throws(DecodingFailure) -> Int {
        let count = try readVarint()
        guard count <= UInt64(Int.max), bytesEach == 0 || Int(count) <= remaining / bytesEach else {
            throw DecodingFailure("\(count) entries in \(remaining) bytes")
        }
        return Int(count)
    }

    public mutating func readFlag() throws(DecodingFailure) -> Bool {
        let byte = try read(UInt8.self)
        guard byte <= 1 else { throw DecodingFailure("\(byte) is no flag") }
        return byte == 1
    }

    public mutating func readOptional() throws(DecodingFailure) -> Int64? {
        try readFlag() ? try read(Int64.self) : nil
    }

    public mutating func readByteString() throws(DecodingFailure) -> ByteString {
        ByteString(bytes: try readLengthPrefixed())
    }

    public mutating func readString() throws(DecodingFailure) -> String {
        let bytes = try readLengthPrefixed()
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw DecodingFailure("text that is not UTF-8")
        }
        return text
    }

    /// Strictly ascending numbers below `bound`.
    public mutating func readAscending(below bound: Int) throws(DecodingFailure) -> [UInt32] {
        let count = try readCount(bytesEach: 1)
        var indices: [UInt32] = []
        indices.reserveCapacity(count)
        var last: UInt64 = 0
        for place in 0..<count {
            let (next, overflow) = last.addingReportingOverflow(try readVarint())
            guard !overflow, next < UInt64(bound), place == 0 || next > last else {
                throw DecodingFailure("index \(next) out of order or not below \(bound)")
            }
            last = next
            indices.append(UInt32(next))
        }
        return indices
    }

    public mutating func readSeriesLabels() throws(DecodingFailure) -> SeriesLabels {
        let name = try readByteString()
        var labels: [Label] = []
        for _ in 0..<(try readCount(bytesEach: 2)) { labels.append(Label(try readByteString(), try readByteString())) }
        return SeriesLabels(name: name, labels: labels)
    }

    public mutating func readGroupKey() throws(DecodingFailure) -> GroupKey {
        var cells: [KeyCell] = []
        for _ in 0..<(try readCount(bytesEach: 1)) {
            switch try read(UInt8.self) {
            case 0: cells.append(.missing)
            case 1: cells.append(.text(try readByteString()))
            case 2: cells.append(.number(bits: try read()))
            case 3: cells.append(.label(Label(try readByteString(), try readByteString())))
            case let kind: throw DecodingFailure("\(kind) is no kind of key cell")
            }
        }
        return GroupKey(cells)
    }

    public mutating func readPartitionID() throws(DecodingFailure) -> PartitionID {
        PartitionID(source: try readString(), topic: try readString(), partition: try read())
    }

    public mutating func readQueryLedger() throws(DecodingFailure) -> QueryLedger {
        var ledger = QueryLedger()
        ledger.decoded = try readCount()
        ledger.filtered = try readCount()
        ledger.aggregated = try readCount()
        ledger.late = try readCount()
        ledger.partlyLate = try readCount()
        ledger.lateAfterIdle = try readCount()
        ledger.limitDrops = try readCount()
        return ledger
    }

    /// A first and a last offset, 8 bytes each.
    mutating func readOffsetRange() throws(DecodingFailure) -> ClosedRange<Int64> {
        let first: Int64 = try read()
        let last: Int64 = try read()
        guard first >= 0, first <= last else { throw DecodingFailure("offsets \(first) to \(last)") }
        return first...last
    }

    public mutating func readPartitionLedger() throws(DecodingFailure) -> PartitionLedger {
        var ledger = PartitionLedger()
        ledger.records = try readCount()
        ledger.decoded = try readCount()
        ledger.bad = try readCount()
        ledger.future = try readCount()
        ledger.staleMarkers = try readCount()
        for _ in 0..<(try readCount(bytesEach: 2)) {
            let name = try readString()
            guard let reason = BadRecordReason(rawValue: name) else {
                throw DecodingFailure("`\(name)` is no reason for a bad record")
            }
            ledger.badByReason[reason] = try readCount()
        }
        for _ in 0..<(try readCount(bytesEach: 16)) { ledger.lost.append(try readOffsetRange()) }
        return ledger
    }
}
