import CRE2

/// A compiled regular expression: RE2 syntax, dot matches newline, linear time (https://github.com/google/re2).
///
/// Compile once, where a job is checked; matching allocates nothing of its own.
public final class Re2Pattern: @unchecked Sendable, Hashable, CustomStringConvertible {
    // Unchecked: `handle` is set once in `init` and freed in `deinit`, when no reference is left; in between only const
    // member functions of `re2::RE2` are called on it, which RE2 declares safe from several threads at once (re2.h:
    // "RE2 objects are thread-safe for const use").
    private let handle: OpaquePointer
    /// The text it was compiled from.
    public let pattern: ByteString

    /// Why a pattern does not compile, in RE2's words.
    public struct SyntaxError: Error, CustomStringConvertible {
        public let description: String
    }

    /// Compiles a pattern.
    public init(_ pattern: ByteString) throws(SyntaxError) {
        // RE2 stops at nothing that is no UTF-8, but its message would quote the bytes.
        guard String(validating: pattern.bytes, as: UTF8.self) != nil else {
            throw SyntaxError(description: "it is not UTF-8")
        }
        var reason = [UInt8](repeating: 0, count: 256)
        let compiled = pattern.bytes.withUnsafeBytes { text in
            reason.withUnsafeMutableBytes { reason in
                cre2_compile(
                    text.baseAddress?.assumingMemoryBound(to: CChar.self), text.count,
                    reason.baseAddress?.assumingMemoryBound(to: CChar.self), reason.count)
            }
        }
        guard let compiled else {
            throw SyntaxError(description: String(decoding: reason.prefix { $0 != 0 }, as: UTF8.self))
        }
        handle = compiled
        self.pattern = pattern
    }

    deinit { cre2_free(handle) }

    /// Whether the whole of `text` matches. O(bytes of the text).
    public func matchesWhole(_ text: ByteString) -> Bool {
        text.bytes.withUnsafeBytes {
            cre2_full_match(handle, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count)
        }
    }

    /// The first group of the first match anywhere in `text`, or the whole match where the pattern has no group; nil
    /// where nothing matches or the group took no part. O(bytes of the text).
    public func extract(from text: ByteString) -> ByteString? {
        text.bytes.withUnsafeBytes { bytes in
            var start = 0
            var length = 0
            guard
                cre2_extract(
                    handle, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, &start, &length),
                start >= 0, length >= 0, start + length <= bytes.count
            else { return nil }
            return ByteString(bytes: Array(bytes[start..<(start + length)]))
        }
    }

    /// Two patterns are equal when their texts are.
    public static func == (a: Re2Pattern, b: Re2Pattern) -> Bool { a.pattern == b.pattern }

    public func hash(into hasher: inout Hasher) { hasher.combine(pattern) }

    /// The pattern's text.
    public var description: String { pattern.description }
}
