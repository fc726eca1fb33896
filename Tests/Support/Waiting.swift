import Platform

/// What a condition that never came true leaves behind.
public struct NotReached: Error, CustomStringConvertible {
    public let description: String

    public init(description: String) { self.description = description }
}

/// How long a test waits for what must come: it only ends one that hangs, and no result depends on it.
public let hungAfterMs: Int64 = 180_000

/// Looks until `condition` holds; fails with `state` in words where it never does. `pauseMs` lies between two looks; 0 where a
/// look itself waits.
public func waitUntil(
    _ what: String, state: () -> String = { "" }, pauseMs: Int = 5, _ condition: () throws -> Bool
) throws {
    try waitFor(what, state: state, pauseMs: pauseMs) { () throws -> Void? in try condition() ? () : nil }
}

/// Looks until `value` gives something, as ``waitUntil(_:state:pauseMs:_:)`` does.
public func waitFor<T>(
    _ what: String, state: () -> String = { "" }, pauseMs: Int = 5, _ value: () throws -> T?
) throws -> T {
    let clock = SystemClock()
    let deadlineNs = clock.monotonicNs() + hungAfterMs * 1_000_000
    while clock.monotonicNs() < deadlineNs {
        if let value = try value() { return value }
        if pauseMs > 0 { clock.sleep(ms: pauseMs) }
    }
    throw NotReached(description: "not in \(hungAfterMs / 1000) s: \(what). \(state())")
}
