import Glibc

/// Texts packed one after the other, each ended by a zero byte, so that packed bytes compare as the texts do one by one: a
/// text before every longer one that begins with it, fewer texts before more. In memory only.
///
/// The bytes 0 and 1, which hardly any text holds, become two each: 01 01 and 01 02.
enum OrderedText {
    static let end: UInt8 = 0
    static let escape: UInt8 = 1

    @inline(__always)
    static func append(_ text: UnsafeBufferPointer<UInt8>, to packed: inout [UInt8]) {
        for byte in text {
            if byte <= escape {
                packed.append(escape)
                packed.append(byte + 1)
            } else {
                packed.append(byte)
            }
        }
        packed.append(end)
    }

    static func append(_ text: ByteString, to packed: inout [UInt8]) {
        text.bytes.withUnsafeBufferPointer { append($0, to: &packed) }
    }

    /// The length of the packed text at `start`, its end not counted.
    @inline(__always)
    static func length(_ start: UnsafePointer<UInt8>, _ limit: Int) -> Int {
        guard let found = memchr(start, Int32(end), limit) else { return limit }
        return UnsafeRawPointer(found) - UnsafeRawPointer(start)
    }

    /// The text of packed bytes without their end.
    static func text(_ packed: UnsafeBufferPointer<UInt8>) -> ByteString {
        guard let base = packed.baseAddress, memchr(base, Int32(escape), packed.count) != nil else {
            return ByteString(copying: packed)
        }
        var bytes: [UInt8] = []
        var isEscaped = false
        for byte in packed {
            if isEscaped {
                bytes.append(byte &- 1)
                isEscaped = false
            } else if byte == escape {
                isEscaped = true
            } else {
                bytes.append(byte)
            }
        }
        return ByteString(bytes: bytes)
    }

    /// Whether packed bytes without their end stand for `text`.
    @inline(__always)
    static func isSame(_ packed: UnsafeBufferPointer<UInt8>, _ text: ByteString) -> Bool {
        if packed.count == text.bytes.count {
            return text.bytes.withUnsafeBufferPointer { bytes in
                guard let a = packed.baseAddress, let b = bytes.baseAddress else { return true }
                // Equal bytes hold no escape only if the text holds none.
                return memcmp(a, b, packed.count) == 0 && memchr(a, Int32(escape), packed.count) == nil
            }
        }
        return packed.count > text.bytes.count && OrderedText.text(packed) == text
    }

    /// Bytewise order, a prefix before what it begins.
    static func precedes(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        a.withUnsafeBufferPointer { a in b.withUnsafeBufferPointer { PackedOrder.precedes(a, $0) } }
    }
}
