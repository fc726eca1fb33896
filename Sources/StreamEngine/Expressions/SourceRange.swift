/// A stretch of an expression's text, in UTF-8 bytes from its first byte: where an error's carets stand.
public struct SourceRange: Sendable, Hashable, CustomStringConvertible {
    public let offset: Int
    public let length: Int

    /// `length` bytes from `offset`.
    public init(offset: Int, length: Int) {
        self.offset = offset
        self.length = length
    }

    /// The byte after the last one.
    public var end: Int { offset + length }

    /// From the beginning of this range to the end of `last`, which does not begin earlier.
    public func through(_ last: SourceRange) -> SourceRange {
        SourceRange(offset: offset, length: max(last.end - offset, 0))
    }

    /// `offset+length`.
    public var description: String { "\(offset)+\(length)" }
}
