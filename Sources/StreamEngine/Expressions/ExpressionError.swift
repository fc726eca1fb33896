/// What is wrong with an expression, an aggregate call or a selector, and where.
public struct ExpressionError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What was found and what was expected; identifiers stand in backticks.
    public let message: String
    /// The place, in bytes of the text that was parsed. At the end of the text it has length 0.
    public let range: SourceRange
    /// What to do, such as ``did you mean `avg`?``; nil where there is nothing to say.
    public let hint: String?

    /// An error at its place.
    public init(_ message: String, at range: SourceRange, hint: String? = nil) {
        self.message = message
        self.range = range
        self.hint = hint
    }

    /// The message, with the hint behind a semicolon.
    public var description: String { hint.map { "\(message); \($0)" } ?? message }
}
