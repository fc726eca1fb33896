/// Encoded bytes did not hold what they should.
public struct DecodingFailure: Error, CustomStringConvertible {
    public let description: String

    /// A failure in words.
    public init(_ description: String) { self.description = description }
}

/// Builds little-endian binary data.
public struct ByteWriter: Sendable {
    public private(set) var bytes: [UInt8] = []

    public init() {}

    /// Appends an integer, little-endian.
    @inlinable
    public mutating func write<T: FixedWidthInteger>(_ value: T) {
        withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    /// Appends the bits of a double.
    @inlinable
    public mutating func write(_ value: Double) { write(value.bitPattern) }

    /// Appends an unsigned number in LEB128, 1 to 10 bytes.
    public mutating func writeVarint(_ value: UInt64) {
        var value = value
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(value))
    }

    /// Appends a length in LEB128, then the bytes.
    public mutating func write(lengthPrefixed data: [UInt8]) {
        writeVarint(UInt64(data.count))
        bytes.append(contentsOf: data)
    }

    /// Appends raw bytes.
    public mutating func append(contentsOf data: UnsafeRawBufferPointer) { bytes.append(contentsOf: data) }
}

/// Reads what `ByteWriter` wrote. A read is whole or throws, and never leaves the buffer, whatever it holds.
public struct ByteReader {
    @usableFromInline let bytes: [UInt8]
    @usableFromInline var at = 0

    /// Reads from the first byte.
    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Whether every byte has been read.
    public var isAtEnd: Bool { at == bytes.count }

    /// The number of bytes not read yet.
    public var remaining: Int { bytes.count - at }

    /// Reads a little-endian integer.
    @inlinable
    public mutating func read<T: FixedWidthInteger & BitwiseCopyable>(
        _ type: T.Type = T.self
    ) throws(DecodingFailure) -> T {
        let size = MemoryLayout<T>.size
        guard remaining >= size else { throw DecodingFailure("\(size) bytes wanted, \(remaining) left") }
        let value = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: at, as: T.self) }
        at += size
        return T(littleEndian: value)
    }

    /// Reads a double's bits.
    @inlinable
    public mutating func readDouble() throws(DecodingFailure) -> Double {
        Double(bitPattern: try read(UInt64.self))
    }

    /// Reads an unsigned LEB128 number.
    public mutating func readVarint() throws(DecodingFailure) -> UInt64 {
        // Most are small.
        if at < bytes.count, bytes[at] < 0x80 {
            defer { at += 1 }
            return UInt64(bytes[at])
        }
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try read(UInt8.self)
            guard shift < 63 || byte <= 1 else { throw DecodingFailure("varint of more than 64 bits") }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }

    /// Reads bytes behind their length.
    public mutating func readLengthPrefixed() throws(DecodingFailure) -> [UInt8] {
        let length = try readVarint()
        guard length <= UInt64(remaining) else { throw DecodingFailure("\(length) bytes wanted, \(remaining) left") }
        let end = at + Int(length)
        defer { at = end }
        return Array(bytes[at..<end])
    }
}
