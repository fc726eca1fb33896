/// BYTE_STREAM_SPLIT: the first bytes of all values, then all second bytes, and so on.
final class SplitValues: PageValues {
    let encoding = ParquetEncoding.byteStreamSplit
    private let bytes: PageBytes
    private let size: Int
    private let type: ParquetPhysicalType
    private var index = 0

    init(_ bytes: PageBytes, type: ParquetPhysicalType) throws(PageFailure) {
        switch type {
        case .float, .int32: size = 4
        case .double, .int64: size = 8
        case .boolean, .int96, .byteArray, .fixedLenByteArray:
            throw PageFailure("values of type \(type) in split streams")
        }
        guard bytes.count % size == 0 else { throw PageFailure("split streams of unequal length") }
        self.bytes = bytes
        self.type = type
    }

    private func next() throws(PageFailure) -> UInt64 {
        let count = bytes.count / size
        guard index < count else { throw PageFailure("split streams end early") }
        var value: UInt64 = 0
        for stream in 0..<size {
            value |= UInt64(bytes.bytes[bytes.at + stream * count + index]) << UInt64(8 * stream)
        }
        index += 1
        return value
    }

    func integers(_ count: Int) throws(PageFailure) -> [Int64] {
        guard type == .int32 || type == .int64 else { throw PageFailure("whole numbers of type \(type)") }
        var values: [Int64] = []
        values.reserveCapacity(count)
        for _ in 0..<count {
            let value = try next()
            values.append(type == .int32 ? Int64(Int32(truncatingIfNeeded: value)) : Int64(bitPattern: value))
        }
        return values
    }

    func doubles(_ count: Int) throws(PageFailure) -> [Double] {
        guard type == .float || type == .double else { throw PageFailure("floating-point numbers of type \(type)") }
        var values: [Double] = []
        values.reserveCapacity(count)
        for _ in 0..<count {
            let value = try next()
            values.append(
                type == .float
                    ? Double(Float(bitPattern: UInt32(truncatingIfNeeded: value))) : Double(bitPattern: value))
        }
        return values
    }
}
