import Platform

/// What a condition that never came true leaves behind.
public struct NotReached: Error, CustomStringConvertible {
    public let description: String

    public init(description: String) { self.description = description }
}

/// How long a test waits for what must come: it only ends one that hangs, and no result depends on it.
public let hungAfterMs: Int64 = 180_000

/// Looks until `condition` gives something; fails with `state` in words where it never does. `pauseMs` lies between two
/// looks; 0 where a look itself waits.
public func waitFor<T>(
    _ what: String, state: () -> String = { "" }, pauseMs: Int = 5, _ condition: () throws -> T?
) throws -> T {
    let clock = SystemClock()
    let deadlineNs = clock.monotonicNs() + hungAfterMs * 1_000_000
    while clock.monotonicNs() < deadlineNs {
        if let value = try condition() { return value }
        if pauseMs > 0 { clock.sleep(ms: pauseMs) }
    }
    throw NotReached(description: "not in \(hungAfterMs / 1000) s: \(what). \(state())")
}
