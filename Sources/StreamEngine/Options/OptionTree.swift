/// How a scalar was written.
public enum ScalarStyle: Sendable, Hashable {
    /// Without quotes: may be null, a boolean or a number.
    case plain
    /// 'text'
    case singleQuoted
    /// "text"
    case doubleQuoted
    /// `|` or `>`
    case block
}

/// A scalar's text, after `${VAR}`s were put in.
public struct OptionScalar: Sendable {
    public var text: String
    public var style: ScalarStyle
    /// Back to the file; nil for what no file wrote.
    public var map: TextMap?

    /// A scalar.
    public init(_ text: String, style: ScalarStyle = .plain, map: TextMap? = nil) {
        self.text = text
        self.style = style
        self.map = map
    }

    /// Whether YAML reads it as null: nothing, `~` or `null`, unquoted.
    public var isNull: Bool {
        style == .plain && (text.isEmpty || text == "~" || text == "null" || text == "Null" || text == "NULL")
    }
}

/// One key of a map with its value.
public struct OptionEntry: Sendable {
    public var key: String
    public var keySpan: SourceSpan?
    public var value: OptionNode

    /// A key and its value.
    public init(_ key: String, keySpan: SourceSpan? = nil, _ value: OptionNode) {
        self.key = key
        self.keySpan = keySpan
        self.value = value
    }
}

/// What a node holds.
public enum OptionContent: Sendable {
    case scalar(OptionScalar)
    /// In the order written; keys are unique.
    case map([OptionEntry])
    case list([OptionNode])
}

/// A node of a job as written, before it is checked: text, maps and lists with their places in the file.
///
/// YAML and `--set` make it; `OptionSchema.check` turns it into `CheckedOptions`.
public struct OptionNode: Sendable {
    public var content: OptionContent
    /// Where the value stands; nil for what no file wrote.
    public var span: SourceSpan?
    /// Whether something wrong was already said about it: no check says more.
    public var isBroken = false

    /// A node at a place.
    public init(_ content: OptionContent, span: SourceSpan? = nil) {
        self.content = content
        self.span = span
    }

    /// Whether it is a null scalar.
    public var isNull: Bool {
        if case .scalar(let scalar) = content { return scalar.isNull }
        return false
    }

    /// The scalar, nil for maps and lists.
    public var scalar: OptionScalar? {
        if case .scalar(let scalar) = content { return scalar }
        return nil
    }

    /// The entry of a key, nil where there is none or this is no map. O(keys).
    public func entry(_ key: String) -> OptionEntry? {
        guard case .map(let entries) = content else { return nil }
        return entries.first { $0.key == key }
    }

    /// What it is, for messages: ``"5m"``, `a map`, `a list`, `nothing`.
    public var kindInWords: String {
        switch content {
        case .map: "a map"
        case .list: "a list"
        case .scalar(let scalar): scalar.isNull ? "nothing" : "`\(scalar.text.prefixInWords)`"
        }
    }
}

extension String {
    /// The text, cut to what fits in a message.
    var prefixInWords: String {
        let cut = prefix(60)
        let line = String(cut.map { $0.isNewline ? " " : $0 })
        return cut.endIndex == endIndex ? line : line + "…"
    }
}
