/// One query of a job.
public struct QueryDefinition: Sendable, Equatable {
    public var name: String
    /// A source's name.
    public var from: String
    /// Which series; nil: everything.
    public var select: SeriesSelector?
    /// Computed before grouping, in order; usable in `where` and `groupBy`.
    public var columns: [NamedExpression] = []
    public var `where`: Expression?
    public var window: WindowDefinition
    public var grouping = GroupingDefinition.by([])
    /// In order; at least one.
    public var aggregates: [NamedAggregate] = []
    /// Computed after aggregation, in order.
    public var derive: [NamedExpression] = []
    public var having: Expression?
    public var allowedLatenessMs: Int64 = 0
    public var outputMode = OutputMode.append
    public var sinks: [SinkDefinition] = []
    /// Where late rows go; nil: counted only.
    public var late: SinkDefinition?
    public var anomalies: [AnomalyDefinition] = []
    public var impacts: [ImpactDefinition] = []

    /// A query over a source, without aggregates yet.
    public init(name: String, from: String, window: WindowDefinition) {
        self.name = name
        self.from = from
        self.window = window
    }
}

/// A window; milliseconds.
public struct WindowDefinition: Sendable, Hashable {
    /// > 0
    public var sizeMs: Int64
    /// In 1...sizeMs; equal to `sizeMs` for tumbling windows.
    public var slideMs: Int64
    /// In (-slideMs, slideMs); windows start at multiples of the slide plus this.
    public var offsetMs: Int64

    /// A window; tumbling without `slideMs`.
    public init(sizeMs: Int64, slideMs: Int64? = nil, offsetMs: Int64 = 0) {
        self.sizeMs = sizeMs
        self.slideMs = slideMs ?? sizeMs
        self.offsetMs = offsetMs
    }
}

/// By what a query groups.
public enum GroupingDefinition: Sendable, Equatable {
    /// Labels or columns; empty is one global group.
    case by([String])
    /// All labels but these and the metric name.
    case without([String])
}

/// A named column computed from an expression.
public struct NamedExpression: Sendable, Equatable {
    public var name: String
    public var expression: Expression

    /// A column.
    public init(_ name: String, _ expression: Expression) {
        self.name = name
        self.expression = expression
    }
}

/// A named aggregate.
public struct NamedAggregate: Sendable, Equatable {
    public var name: String
    public var call: AggregateCall

    /// An aggregate column.
    public init(_ name: String, _ call: AggregateCall) {
        self.name = name
        self.call = call
    }
}

/// A sink of a query.
public struct SinkDefinition: Sendable, Equatable {
    /// The factory's kind: `console`, `kafka`, `jsonl` …
    public var kind: String
    public var options: CheckedOptions

    /// A sink with checked options.
    public init(kind: String, options: CheckedOptions) {
        self.kind = kind
        self.options = options
    }
}

/// A detector on a query's rows, with the alert rules around it. Milliseconds.
public struct AnomalyDefinition: Sendable, Equatable {
    /// What a known key without a row means.
    public enum Missing: String, Sendable, CaseIterable {
        case resolve
        case hold
    }

    /// Which rows are written.
    public enum Emit: String, Sendable, CaseIterable {
        /// Firing and resolved, once each.
        case transitions
        /// Every flagged window.
        case flags
        /// Every row with its score.
        case all
    }

    public var name: String
    /// The row column it looks at; nil where the detector needs none.
    public var column: String?
    public var detectorType: String
    public var detector: CheckedOptions
    public var forMs: Int64 = 0
    public var keepFiringForMs: Int64 = 0
    public var cooldownMs: Int64 = 0
    public var missing = Missing.resolve
    public var severity = "warning"
    public var labels: [OptionPair] = []
    public var annotations: [OptionPair] = []
    public var groupInto: [String] = []
    public var context: [CheckedOptions] = []
    public var emit = Emit.transitions
    public var sinks: [SinkDefinition] = []

    /// A detector with the defaults of JOBS.md.
    public init(name: String, column: String?, detectorType: String, detector: CheckedOptions) {
        self.name = name
        self.column = column
        self.detectorType = detectorType
        self.detector = detector
    }
}

/// What events do to a column of a query's rows: its mean before and after each of them.
public struct ImpactDefinition: Sendable, Equatable {
    public var name: String
    /// The row column whose means are taken.
    public var column: String
    /// Which events, and how far their before and after reach: `from`, `where`, `match`, `before`, `after`, `maxWait`.
    public var events: CheckedOptions
    public var sinks: [SinkDefinition] = []

    /// An impact without sinks yet.
    public init(name: String, column: String, events: CheckedOptions) {
        self.name = name
        self.column = column
        self.events = events
    }
}
