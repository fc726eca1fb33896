/// One condition of a selector: `mode!="idle"`.
public struct LabelMatcher: Sendable, Hashable, CustomStringConvertible {
    /// How a label is compared.
    public enum Operation: String, Sendable, Hashable, CaseIterable {
        case equal = "="
        case notEqual = "!="
        case matches = "=~"
        case doesNotMatch = "!~"
    }

    /// `__name__`, under which the metric name is matched.
    public static let metricName: ByteString = "__name__"

    /// The label's name.
    public let label: ByteString
    public let operation: Operation
    /// The text or the pattern it is compared with.
    public let value: ByteString
    /// Compiled where `operation` is a pattern's.
    private let pattern: Re2Pattern?

    /// A condition; a pattern is compiled here.
    public init(_ label: ByteString, _ operation: Operation, _ value: ByteString) throws(Re2Pattern.SyntaxError) {
        self.label = label
        self.operation = operation
        self.value = value
        switch operation {
        case .equal, .notEqual: pattern = nil
        case .matches, .doesNotMatch: pattern = try Re2Pattern(value)
        }
    }

    /// Whether a label's value, `""` where the label is missing, meets the condition. Patterns match the whole value.
    public func matches(_ text: ByteString) -> Bool {
        switch operation {
        case .equal: text == value
        case .notEqual: text != value
        case .matches: pattern?.matchesWhole(text) ?? false
        case .doesNotMatch: !(pattern?.matchesWhole(text) ?? true)
        }
    }

    /// As PromQL writes it; a label name that needs it stands in quotes.
    public var description: String {
        let name = SeriesSelector.isLabelName(label.bytes) ? label.description : QuotedText.quote(label)
        return "\(name)\(operation.rawValue)\(QuotedText.quote(value))"
    }
}

/// Which series a query reads: a PromQL series selector as Prometheus 3 takes it, such as
/// `node_cpu_seconds_total{mode!="idle"}` or `{"metric.name", job=~"a|b"}`.
public struct SeriesSelector: Sendable, Hashable, CustomStringConvertible {
    /// Every condition, the metric name's included, in the order of the text (a name before the braces comes first).
    public let matchers: [LabelMatcher]

    /// A selector of these conditions, at least one of which does not take the empty text.
    init(matchers: [LabelMatcher]) { self.matchers = matchers }

    /// Whether a series meets every condition; a missing label is `""`.
    public func matches(_ series: SeriesLabels) -> Bool {
        matches { label in label == LabelMatcher.metricName ? series.name : series.value(of: label) }
    }

    /// Whether what `lookUp` tells of the labels (`__name__` for the name; nil or `""`: missing) meets every condition.
    public func matches(lookUp: (ByteString) -> ByteString?) -> Bool {
        matchers.allSatisfy { $0.matches(lookUp($0.label) ?? .empty) }
    }

    /// A metric name without which nothing matches; nil where the selector names none.
    public var metricName: ByteString? {
        matchers.first { $0.label == LabelMatcher.metricName && $0.operation == .equal }?.value
    }

    /// The labels it looks at, each once, `__name__` for the metric name.
    public var labels: [ByteString] {
        var names: [ByteString] = []
        for matcher in matchers where !names.contains(matcher.label) { names.append(matcher.label) }
        return names
    }

    /// Canonical text: the metric name first and outside the braces where it can stand there, then the other conditions
    /// in the order of the text. Selects the same series when parsed again.
    public var description: String {
        var rest = matchers
        var head = ""
        var items: [String] = []
        let names = rest.indices.filter { rest[$0].label == LabelMatcher.metricName }
        if names.count == 1, let place = names.first, rest[place].operation == .equal, !rest[place].value.isEmpty {
            let name = rest.remove(at: place).value
            if Self.isMetricName(name.bytes) { head = name.description } else { items.append(QuotedText.quote(name)) }
        }
        items += rest.map(\.description)
        return items.isEmpty ? head : "\(head){\(items.joined(separator: ","))}"
    }

    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`: what may stand before the braces.
    static func isMetricName(_ bytes: [UInt8]) -> Bool {
        guard let first = bytes.first, ExpressionLexer.isIdentifierStart(first) || first == UInt8(ascii: ":") else {
            return false
        }
        return bytes.allSatisfy { ExpressionLexer.isIdentifierPart($0) || $0 == UInt8(ascii: ":") }
    }

    /// `[a-zA-Z_][a-zA-Z0-9_]*`: what needs no quotes inside the braces.
    static func isLabelName(_ bytes: [UInt8]) -> Bool {
        guard let first = bytes.first, ExpressionLexer.isIdentifierStart(first) else { return false }
        return bytes.allSatisfy(ExpressionLexer.isIdentifierPart)
    }
}
