import StreamEngine

/// What a detector says of one key in one window.
public struct Verdict: Sendable, Equatable {
    /// The key's columns.
    public var key: [Label]
    public var windowStartMs: Int64
    public var windowEndMs: Int64
    public var value: Double?
    public var expected: Double?
    public var lower: Double?
    public var upper: Double?
    /// 0...1
    public var score: Double
    public var isFlagged: Bool

    /// A verdict.
    public init(
        key: [Label], windowStartMs: Int64, windowEndMs: Int64, value: Double? = nil, expected: Double? = nil,
        lower: Double? = nil, upper: Double? = nil, score: Double = 0, isFlagged: Bool
    ) {
        self.key = key
        self.windowStartMs = windowStartMs
        self.windowEndMs = windowEndMs
        self.value = value
        self.expected = expected
        self.lower = lower
        self.upper = upper
        self.score = score
        self.isFlagged = isFlagged
    }
}

/// An alert: it fires once and resolves once.
public struct Alert: Sendable, Equatable {
    public var key: [Label]
    /// The window in which it fired.
    public var windowStartMs: Int64
    /// The end of that window: when a live run would have said so.
    public var firedMs: Int64
    /// When it resolved; nil: not before the end.
    public var resolvedMs: Int64?
    public var severity: String
    public var reason: String
    public var incidentID: String?
    /// Labelled incidents in which it fired, by their place in the list.
    public internal(set) var incidents: [Int] = []

    /// An alert that fires.
    public init(
        key: [Label], windowStartMs: Int64, firedMs: Int64, severity: String = "", reason: String = "",
        incidentID: String? = nil
    ) {
        self.key = key
        self.windowStartMs = windowStartMs
        self.firedMs = firedMs
        self.severity = severity
        self.reason = reason
        self.incidentID = incidentID
    }
}

/// A cluster event that stood beside a verdict.
public struct ContextMark: Sendable, Hashable {
    public var timestampMs: Int64
    public var type: String
    /// For people: reason, object and message.
    public var text: String
}
