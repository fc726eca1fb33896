/// DELTA_BINARY_PACKED (Encodings.md, "Delta Encoding"): a first value, then blocks of differences, bit-packed in
/// miniblocks. Reads value by value: nothing is made for a count that the bytes only claim.
struct DeltaRuns {
    /// Values not taken yet.
    private(set) var left: Int
    private var source: PageBytes
    private let perMiniblock: Int
    private let miniblocks: Int
    private var value: Int64
    private var isFirst = true
    private var minimum: Int64 = 0
    private var widths: [UInt8] = []
    private var miniblock = 0
    private var inMiniblock = 0
    private var packed = PageBytes([])

    init(_ bytes: PageBytes) throws(PageFailure) {
        source = bytes
        let block = try source.varint()
        let miniblocks = try source.varint()
        let count = try source.varint()
        value = try source.zigzag()
        guard block > 0, block <= 1 << 20, block % 128 == 0, miniblocks > 0, block % miniblocks == 0,
            (block / miniblocks) % 32 == 0
        else { throw PageFailure("delta blocks of \(block) values in \(miniblocks) miniblocks") }
        guard count <= UInt64(Int32.max) else { throw PageFailure("a delta run of \(count) values") }
        self.miniblocks = Int(miniblocks)
        perMiniblock = Int(block / miniblocks)
        left = Int(count)
        miniblock = self.miniblocks
    }

    mutating func next() throws(PageFailure) -> Int64 {
        guard left > 0 else { throw PageFailure("more values are wanted than a delta run has") }
        left -= 1
        if isFirst {
            isFirst = false
            return value
        }
        if inMiniblock == perMiniblock || miniblock == miniblocks { try advance() }
        let width = Int(widths[miniblock])
        guard let difference = packed.bits(at: inMiniblock * width, width: width) else {
            throw PageFailure("a delta block ends before its values")
        }
        inMiniblock += 1
        // Differences wrap around, as the encoder's did.
        value = value &+ minimum &+ Int64(bitPattern: difference)
        return value
    }

    private mutating func advance() throws(PageFailure) {
        miniblock += 1
        inMiniblock = 0
        if miniblock >= miniblocks {
            minimum = try source.zigzag()
            widths = try source.take(miniblocks).rest
            guard widths.allSatisfy({ $0 <= 64 }) else { throw PageFailure("a delta block of more than 64 bits") }
            miniblock = 0
        }
        packed = try source.take(min(Int(widths[miniblock]) * perMiniblock / 8, source.count))
    }

    /// What stands behind the run; every value is read, none kept.
    func afterwards() throws(PageFailure) -> PageBytes {
        var copy = self
        while copy.left > 0 { _ = try copy.next() }
        return copy.source
    }
}

/// Integers in DELTA_BINARY_PACKED.
final class DeltaIntegers: PageValues {
    let encoding = ParquetEncoding.deltaBinaryPacked
    private var runs: DeltaRuns
    private let isNarrow: Bool

    init(_ bytes: PageBytes, type: ParquetPhysicalType) throws(PageFailure) {
        guard type == .int32 || type == .int64 else { throw PageFailure("values of type \(type) as deltas") }
        runs = try DeltaRuns(bytes)
        isNarrow = type == .int32
    }

    func integers(_ count: Int) throws(PageFailure) -> [Int64] {
        var values: [Int64] = []
        values.reserveCapacity(count)
        for _ in 0..<count {
            let value = try runs.next()
            values.append(isNarrow ? Int64(Int32(truncatingIfNeeded: value)) : value)
        }
        return values
    }
}
