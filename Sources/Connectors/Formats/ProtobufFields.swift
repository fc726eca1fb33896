import StreamEngine

/// Walks the fields of one protobuf message in the wire format (protobuf.dev, "Encoding"). Reads nothing past its end,
/// whatever the bytes say; unknown fields are the caller's to pass over.
struct ProtobufFields {
    /// What stands behind a tag.
    enum Payload {
        case varint(UInt64)
        case fixed64(UInt64)
        case bytes(UnsafeBufferPointer<UInt8>)
        case fixed32(UInt32)
        /// A group, obsolete, passed over with all it holds.
        case group
    }

    private(set) var at: BytePointer
    private let end: BytePointer

    /// Fields of a message of these bytes; nothing for an empty buffer.
    init?(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard let base = bytes.baseAddress else { return nil }
        at = base
        end = base + bytes.count
    }

    /// The next field, or nil at the end.
    @inline(__always)
    mutating func next() throws(DecodeFault) -> (number: UInt64, payload: Payload)? {
        guard at < end else { return nil }
        let (number, wireType) = try tag()
        switch wireType {
        case 0: return (number, .varint(try varint()))
        case 1: return (number, .fixed64(try fixed(UInt64.self)))
        case 2: return (number, .bytes(try lengthDelimited()))
        case 3:
            try passGroup(number)
            return (number, .group)
        case 5: return (number, .fixed32(try fixed(UInt32.self)))
        default: throw DecodeFault(.malformed, "protobuf: wire type \(wireType) in field \(number)")
        }
    }

    @inline(__always)
    private mutating func tag() throws(DecodeFault) -> (number: UInt64, wireType: UInt64) {
        let tag = try varint()
        let number = tag >> 3
        // Field numbers have 29 bits, and 0 is none.
        guard number >= 1, number < 1 << 29 else { throw DecodeFault(.malformed, "protobuf: field number \(number)") }
        return (number, tag & 7)
    }

    @inline(__always)
    private mutating func varint() throws(DecodeFault) -> UInt64 {
        if at < end, at.pointee < 0x80 {
            defer { at += 1 }
            return UInt64(at.pointee)
        }
        return try longVarint()
    }

    private mutating func longVarint() throws(DecodeFault) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while at < end {
            let byte = at.pointee
            at += 1
            guard shift < 63 || byte <= 1 else { throw DecodeFault(.malformed, "protobuf: a varint of over 64 bits") }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw DecodeFault(.malformed, "protobuf: a varint is cut off")
    }

    @inline(__always)
    private mutating func fixed<T: FixedWidthInteger>(_ type: T.Type) throws(DecodeFault) -> T {
        let size = MemoryLayout<T>.size
        guard end - at >= size else { throw DecodeFault(.malformed, "protobuf: a fixed-width number is cut off") }
        defer { at += size }
        return T(littleEndian: UnsafeRawPointer(at).loadUnaligned(as: T.self))
    }

    @inline(__always)
    private mutating func lengthDelimited() throws(DecodeFault) -> UnsafeBufferPointer<UInt8> {
        let length = try varint()
        guard length <= UInt64(end - at) else {
            throw DecodeFault(.malformed, "protobuf: a field of \(length) bytes where \(end - at) are left")
        }
        defer { at += Int(length) }
        return UnsafeBufferPointer(start: at, count: Int(length))
    }

    /// Passes over a group up to its own end tag. Nested groups are kept on a list, not on the call stack.
    private mutating func passGroup(_ number: UInt64) throws(DecodeFault) {
        var open = [number]
        while let innermost = open.last {
            guard at < end else { throw DecodeFault(.malformed, "protobuf: group \(innermost) is not closed") }
            let (number, wireType) = try tag()
            switch wireType {
            case 0: _ = try varint()
            case 1: _ = try fixed(UInt64.self)
            case 2: _ = try lengthDelimited()
            case 3:
                // Protobuf's own parsers stop here too.
                guard open.count < 100 else { throw DecodeFault(.malformed, "protobuf: over 100 nested groups") }
                open.append(number)
            case 4:
                guard number == innermost else {
                    throw DecodeFault(.malformed, "protobuf: group \(innermost) is closed as \(number)")
                }
                open.removeLast()
            case 5: _ = try fixed(UInt32.self)
            default: throw DecodeFault(.malformed, "protobuf: wire type \(wireType) in field \(number)")
            }
        }
    }
}
