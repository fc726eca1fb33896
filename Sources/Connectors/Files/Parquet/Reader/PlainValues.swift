import StreamEngine

/// PLAIN: values as they are, one after another (Encodings.md, "Plain").
final class PlainValues: PageValues {
    let encoding = ParquetEncoding.plain
    private let type: ParquetPhysicalType
    private var bytes: PageBytes
    /// Bits of the present byte that were taken (booleans).
    private var bit = 0

    init(_ bytes: PageBytes, type: ParquetPhysicalType) {
        self.bytes = bytes
        self.type = type
    }

    func integers(_ count: Int) throws(PageFailure) -> [Int64] {
        var values: [Int64] = []
        values.reserveCapacity(count)
        for _ in 0..<count {
            switch type {
            case .int32: values.append(Int64(Int32(truncatingIfNeeded: try bytes.little(4))))
            case .int64: values.append(Int64(bitPattern: try bytes.little(8)))
            case .boolean:
                guard let value = bytes.bits(at: bit, width: 1) else { throw PageFailure("booleans end early") }
                bit += 1
                values.append(Int64(value))
            case .int96, .float, .double, .byteArray, .fixedLenByteArray:
                throw PageFailure("whole numbers of type \(type)")
            }
        }
        return values
    }

    func doubles(_ count: Int) throws(PageFailure) -> [Double] {
        var values: [Double] = []
        values.reserveCapacity(count)
        for _ in 0..<count { values.append(try double(from: &bytes)) }
        return values
    }

    private func double(from bytes: inout PageBytes) throws(PageFailure) -> Double {
        switch type {
        case .float: Double(Float(bitPattern: UInt32(truncatingIfNeeded: try bytes.little(4))))
        case .double: Double(bitPattern: try bytes.little(8))
        case .boolean, .int32, .int64, .int96, .byteArray, .fixedLenByteArray:
            throw PageFailure("floating-point numbers of type \(type)")
        }
    }

    func texts(_ count: Int) throws(PageFailure) -> TextColumn {
        guard type == .byteArray else { throw PageFailure("text of type \(type)") }
        var values: [ByteString] = []
        values.reserveCapacity(count)
        for _ in 0..<count {
            let length = try bytes.little(4)
            values.append(ByteString(bytes: try bytes.take(Int(length)).rest))
        }
        return TextColumn(dictionary: values, codes: Array(0..<Int32(count)))
    }
}
