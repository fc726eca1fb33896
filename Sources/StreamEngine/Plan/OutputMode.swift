/// Which rows of a query a trigger emits (SEMANTICS §4).
public enum OutputMode: String, Sendable, Hashable, CaseIterable {
    /// A window once, when it is final.
    case append
    /// Every window changed in this trigger.
    case update
    /// All windows in state.
    case complete
}

/// What the engine promises for its output.
public enum Delivery: String, Sendable, Hashable, CaseIterable {
    case exactlyOnce
    case atLeastOnce
    /// No consumer group, no commits: look at a topic with read-only rights.
    case none
}
