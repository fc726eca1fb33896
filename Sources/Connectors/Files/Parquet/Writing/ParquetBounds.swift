import StreamEngine

/// The least and greatest value of a page or chunk as a file has them.
struct ParquetBounds {
    var min: [UInt8]
    var max: [UInt8]
    var isMinExact = true
    var isMaxExact = true

    /// Text bounds longer than this are cut.
    static let textBytesMax = 64

    static func of(_ values: UnsafeBufferPointer<Int64>) -> (min: Int64, max: Int64)? {
        guard var least = values.first else { return nil }
        var greatest = least
        for value in values {
            least = Swift.min(least, value)
            greatest = Swift.max(greatest, value)
        }
        return (least, greatest)
    }

    /// NaN never bounds, and a zero bound covers both zeros (parquet.thrift, `ColumnOrder`). Nil where all are NaN.
    static func of(_ values: UnsafeBufferPointer<Double>) -> (min: Double, max: Double)? {
        var least = Double.infinity
        var greatest = -Double.infinity
        var isAny = false
        for value in values where value == value {
            isAny = true
            if value < least { least = value }
            if value > greatest { greatest = value }
        }
        return isAny ? (least == 0 ? -0.0 : least, greatest == 0 ? 0.0 : greatest) : nil
    }

    init(_ bounds: (min: Int64, max: Int64)) {
        min = Self.bytes(UInt64(bitPattern: bounds.min))
        max = Self.bytes(UInt64(bitPattern: bounds.max))
    }

    init(_ bounds: (min: Double, max: Double)) {
        min = Self.bytes(bounds.min.bitPattern)
        max = Self.bytes(bounds.max.bitPattern)
    }

    init(_ bounds: (min: Bool, max: Bool)) {
        min = [bounds.min ? 1 : 0]
        max = [bounds.max ? 1 : 0]
    }

    /// Long texts are cut between characters; a cut upper bound is counted up, so that it stays one. Nil where it cannot be
    /// (it begins with the last of all characters, over and over): a bound as long as the text would not be worth it.
    init?(_ bounds: (min: ByteString, max: ByteString)) {
        min = bounds.min.bytes
        max = bounds.max.bytes
        if min.count > Self.textBytesMax {
            min = Self.cut(min)
            isMinExact = false
        }
        if max.count > Self.textBytesMax {
            guard let above = Self.next(after: Self.cut(max)) else { return nil }
            max = above
            isMaxExact = false
        }
    }

    private static func bytes(_ value: UInt64) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }

    private static func cut(_ text: [UInt8]) -> [UInt8] {
        var end = textBytesMax
        while end > 0, text[end] & 0xc0 == 0x80 { end -= 1 }
        return Array(text[..<end])
    }

    /// The least text of whole characters above everything that begins with `prefix`: its last character counted up, or
    /// the one before where that is the last of all. Nil where there is none, or the bytes are no UTF-8.
    private static func next(after prefix: [UInt8]) -> [UInt8]? {
        guard let text = String(validating: prefix, as: UTF8.self) else { return nil }
        var scalars = Array(text.unicodeScalars)
        while let last = scalars.popLast() {
            let next = last.value == 0xd7ff ? 0xe000 : last.value + 1
            guard let scalar = Unicode.Scalar(next) else { continue }
            scalars.append(scalar)
            return scalars.flatMap { Array(String($0).utf8) }
        }
        return nil
    }
}
