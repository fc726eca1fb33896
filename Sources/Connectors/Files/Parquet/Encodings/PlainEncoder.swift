import StreamEngine

/// PLAIN (Encodings.md): values as they are, little-endian.
enum PlainEncoder {
    static func append(_ values: UnsafeBufferPointer<Int64>, to out: inout [UInt8]) {
        append(words: UnsafeRawBufferPointer(values), to: &out)
    }

    static func append(_ values: UnsafeBufferPointer<Double>, to out: inout [UInt8]) {
        append(words: UnsafeRawBufferPointer(values), to: &out)
    }

    private static func append(words: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        #if _endian(little)
            out.append(contentsOf: words)
        #else
            #error("values are written as they lie in memory: little-endian machines only")
        #endif
    }

    /// Booleans, a bit each, the first the lowest.
    static func append(_ values: UnsafeBufferPointer<Bool>, to out: inout [UInt8]) {
        var at = 0
        while at < values.count {
            var byte: UInt8 = 0
            for bit in 0..<min(8, values.count - at) where values[at + bit] { byte |= 1 << UInt8(bit) }
            out.append(byte)
            at += 8
        }
    }

    /// A text: its length in four bytes, then the bytes.
    static func append(_ text: ByteString, to out: inout [UInt8]) {
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: text.count).littleEndian) { out.append(contentsOf: $0) }
        out.append(contentsOf: text.bytes)
    }
}
