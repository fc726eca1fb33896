import StreamEngine

/// The values of a column (nulls taken out) under one encoding: what a page's values are made from.
enum ParquetValues {
    case plain(ParquetColumnBuffer)
    case delta([Int64])
    case textLengths(ParquetColumnBuffer)
    case textSuffixes(ParquetColumnBuffer)
    /// Indices into a dictionary page that has `count` values.
    case dictionary(codes: [UInt32], page: [UInt8], count: Int)

    var encoding: ParquetEncoding {
        switch self {
        case .plain: .plain
        case .delta: .deltaBinaryPacked
        case .textLengths: .deltaLengthByteArray
        case .textSuffixes: .deltaByteArray
        case .dictionary: .rleDictionary
        }
    }

    /// Appends the values of a range as a page has them.
    func append(_ range: Range<Int>, to out: inout [UInt8]) {
        switch self {
        case .plain(let column): Self.appendPlain(column, range, to: &out)
        case .delta(let values):
            values.withUnsafeBufferPointer { DeltaEncoder.append(.init(rebasing: $0[range]), to: &out) }
        case .textLengths(let column):
            TextEncoder.appendLengths(column.codes[range].lazy.map { column.texts[Int($0)] }, to: &out)
        case .textSuffixes(let column):
            TextEncoder.appendSuffixes(column.codes[range].lazy.map { column.texts[Int($0)] }, to: &out)
        case .dictionary(let codes, _, let count):
            let bitWidth = HybridEncoder.bitWidth(UInt32(max(count, 1) - 1))
            out.append(UInt8(bitWidth))
            codes.withUnsafeBufferPointer {
                HybridEncoder.append(.init(rebasing: $0[range]), bitWidth: bitWidth, to: &out)
            }
        }
    }

    private static func appendPlain(_ column: ParquetColumnBuffer, _ range: Range<Int>, to out: inout [UInt8]) {
        switch column.type {
        case .timestamp, .int64:
            column.integers.withUnsafeBufferPointer { PlainEncoder.append(.init(rebasing: $0[range]), to: &out) }
        case .double:
            column.doubles.withUnsafeBufferPointer { PlainEncoder.append(.init(rebasing: $0[range]), to: &out) }
        case .boolean:
            column.booleans.withUnsafeBufferPointer { PlainEncoder.append(.init(rebasing: $0[range]), to: &out) }
        case .text:
            for code in column.codes[range] { PlainEncoder.append(column.texts[Int(code)], to: &out) }
        }
    }
}
