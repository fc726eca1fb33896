/// One label of a series.
public struct Label: Sendable, Hashable {
    /// The label's name.
    public let name: ByteString
    /// The label's value, never empty inside `SeriesLabels`.
    public let value: ByteString

    /// A label from its two texts.
    public init(_ name: ByteString, _ value: ByteString) {
        self.name = name
        self.value = value
    }
}

/// What identifies a series: a metric name and a set of labels.
///
/// Canonical form: labels sorted by name bytes, empty values left out (an empty value is the same as no label,
/// SEMANTICS §1), the metric name kept apart from the labels. Two spellings of one series are therefore equal.
public struct SeriesLabels: Sendable, Hashable, CustomStringConvertible {
    /// The metric name; empty when the series has none.
    public let name: ByteString
    /// Labels sorted by name, without `__name__` and without empty values.
    public let labels: [Label]

    /// Brings `labels` into canonical form. The caller has made sure that no name occurs twice.
    public init(name: ByteString, labels: [Label]) {
        self.name = name
        self.labels = labels.filter { !$0.value.isEmpty }.sorted { $0.name < $1.name }
    }

    /// The value of a label, or nil where the series has none. O(number of labels).
    public func value(of name: ByteString) -> ByteString? {
        for label in labels where label.name == name { return label.value }
        return nil
    }

    /// The series as PromQL writes it.
    public var description: String {
        if labels.isEmpty { return name.isEmpty ? "{}" : name.description }
        let pairs = labels.map { "\($0.name)=\(quoted($0.value))" }
        return "\(name){\(pairs.joined(separator: ","))}"
    }

    private func quoted(_ text: ByteString) -> String {
        var out = "\""
        for scalar in text.description.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}

extension SeriesLabels: Comparable {
    /// Order by label bytes: metric name first, then label by label (name, then value).
    public static func < (a: SeriesLabels, b: SeriesLabels) -> Bool {
        if a.name != b.name { return a.name < b.name }
        for (x, y) in zip(a.labels, b.labels) {
            if x.name != y.name { return x.name < y.name }
            if x.value != y.value { return x.value < y.value }
        }
        return a.labels.count < b.labels.count
    }
}
