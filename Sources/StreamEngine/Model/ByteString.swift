import Glibc

/// Text compared, hashed and ordered by its UTF-8 bytes.
///
/// Labels, keys and names use this rather than `String`, because `String` treats canonically equivalent texts
/// ("é" in one or two scalars) as equal and orders by Unicode rules, while Prometheus and the contract
/// (SEMANTICS §4) go by bytes.
public struct ByteString: Sendable, Hashable, Comparable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The UTF-8 bytes, without terminator.
    public let bytes: [UInt8]

    /// Takes ownership of UTF-8 `bytes`.
    @inlinable
    public init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Copies UTF-8 bytes out of a buffer.
    @inlinable
    public init(copying buffer: UnsafeBufferPointer<UInt8>) {
        self.bytes = Array(buffer)
    }

    /// The UTF-8 bytes of a string.
    @inlinable
    public init(_ text: String) {
        self.bytes = Array(text.utf8)
    }

    @inlinable
    public init(stringLiteral value: String) {
        self.init(value)
    }

    /// The empty text.
    public static let empty = ByteString(bytes: [])

    /// Whether there is no byte.
    @inlinable
    public var isEmpty: Bool { bytes.isEmpty }

    /// The number of bytes.
    @inlinable
    public var count: Int { bytes.count }

    /// The text as a `String`; invalid UTF-8 is repaired with U+FFFD.
    public var description: String { String(decoding: bytes, as: UTF8.self) }

    /// Bytewise order, a prefix before what it begins.
    public static func < (a: ByteString, b: ByteString) -> Bool {
        a.bytes.withUnsafeBytes { x in
            b.bytes.withUnsafeBytes { y in
                guard let p = x.baseAddress, let q = y.baseAddress else { return x.count < y.count }
                let order = memcmp(p, q, min(x.count, y.count))
                return order != 0 ? order < 0 : x.count < y.count
            }
        }
    }

    // Array compares and hashes byte by byte; labels are long enough for that to show in profiles.
    public static func == (a: ByteString, b: ByteString) -> Bool {
        a.bytes.withUnsafeBytes { x in
            b.bytes.withUnsafeBytes { y in
                guard x.count == y.count else { return false }
                guard let p = x.baseAddress, let q = y.baseAddress else { return true }
                return p == q || memcmp(p, q, x.count) == 0
            }
        }
    }

    public func hash(into hasher: inout Hasher) {
        bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
        hasher.combine(UInt8(0xff))
    }
}
