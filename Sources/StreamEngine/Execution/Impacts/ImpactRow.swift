/// What one event did to one key: the mean of a column before and after it.
public struct ImpactRow: Sendable, Equatable {
    public var query: String
    /// The impact's name in the job.
    public var impact: String
    public var event: AnomalyEvent
    /// The key's columns.
    public var labels: [Label]
    public var column: String
    /// The means over the windows that lie wholly within `before` ahead of the event, and within `after` behind it; nil
    /// without any.
    public var before: Double?
    public var after: Double?
    /// How many windows with a value they are of.
    public var windowsBefore: Int
    public var windowsAfter: Int

    /// `after - before`; nil where one of them is missing.
    public var change: Double? {
        guard let before, let after else { return nil }
        return after - before
    }

    /// The change as a share of what was before; nil where there is none, or where that was 0.
    public var relative: Double? {
        guard let before, let change, before != 0 else { return nil }
        return change / before.magnitude
    }
}
