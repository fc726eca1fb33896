/// A column to compute: an aggregate call with its name.
public struct AggregateColumn: Sendable {
    /// The column's name.
    public let name: String
    /// The call as a job file writes it: `avg(rate(value)) where mode == "idle"`.
    public let text: String

    /// A column from a call as a job file writes it.
    public init(_ text: String, as name: String) {
        self.name = name
        self.text = text
    }

    fileprivate init(_ function: String, _ argument: String, as name: String, where condition: String?) {
        self.init("\(function)(\(argument))\(condition.map { " where \($0)" } ?? "")", as: name)
    }
}

/// A per-series function inside an aggregate: `rate("value")`.
public struct SeriesCall: Sendable {
    /// As a job file writes it.
    public let text: String

    /// A call as a job file writes it.
    public init(_ text: String) { self.text = text }
}

/// Any registered aggregate: `aggregate("avg", "value", as: "mean")`.
public func aggregate(
    _ function: String, _ argument: String, as name: String, where condition: String? = nil
) -> AggregateColumn {
    AggregateColumn(function, argument, as: name, where: condition)
}

/// Any registered aggregate over a per-series function.
public func aggregate(
    _ function: String, _ argument: SeriesCall, as name: String, where condition: String? = nil
) -> AggregateColumn {
    AggregateColumn(function, argument.text, as: name, where: condition)
}

/// How many rows.
public func count(as name: String, where condition: String? = nil) -> AggregateColumn {
    AggregateColumn("count", "", as: name, where: condition)
}

/// How many rows have a value.
public func count(_ argument: String, as name: String, where condition: String? = nil) -> AggregateColumn {
    AggregateColumn("count", argument, as: name, where: condition)
}

/// The sum of numbers.
public func sum(_ argument: String, as name: String, where condition: String? = nil) -> AggregateColumn {
    AggregateColumn("sum", argument, as: name, where: condition)
}

/// The sum over a group's series.
public func sum(_ argument: SeriesCall, as name: String, where condition: String? = nil) -> AggregateColumn {
    AggregateColumn("sum", argument.text, as: name, where: condition)
}

/// The mean of numbers.
public func avg(_ argument: String, as name: String, where condition: String? = nil) -> AggregateColumn {
    AggregateColumn("avg", argument, as: name, where: condition)
}

/// The mean over a group's series.
public func avg(_ argument: SeriesCall, as name: String, where condition: String? = nil) -> AggregateColumn {
    AggregateColumn("avg", argument.text, as: name, where: condition)
}

/// The smallest number.
public func min(_ argument: String, as name: String, where condition: String? = nil) -> AggregateColumn {
    AggregateColumn("min", argument, as: name, where: condition)
}

/// The largest number.
public func max(_ argument: String, as name: String, where condition: String? = nil) -> AggregateColumn {
    AggregateColumn("max", argument, as: name, where: condition)
}

/// The standard deviation of the sample.
public func stddev(_ argument: String, as name: String, where condition: String? = nil) -> AggregateColumn {
    AggregateColumn("stddev", argument, as: name, where: condition)
}

/// The first value in event time.
public func first(_ argument: String, as name: String, where condition: String? = nil) -> AggregateColumn {
    AggregateColumn("first", argument, as: name, where: condition)
}

/// The last value in event time.
public func last(_ argument: String, as name: String, where condition: String? = nil) -> AggregateColumn {
    AggregateColumn("last", argument, as: name, where: condition)
}

/// The q-quantile, within 1 % relative; `q` lies in 0...1.
public func quantile(
    _ q: Double, _ argument: String, as name: String, where condition: String? = nil
) -> AggregateColumn {
    AggregateColumn("quantile", "\(q), \(argument)", as: name, where: condition)
}

/// Any registered per-series function: `series("delta", "value")`.
public func series(_ function: String, _ argument: String) -> SeriesCall { SeriesCall("\(function)(\(argument))") }

/// How fast a counter grows, per second.
public func rate(_ argument: String) -> SeriesCall { series("rate", argument) }

/// By how much a counter has grown.
public func increase(_ argument: String) -> SeriesCall { series("increase", argument) }

/// A series' newest value in the window.
public func lastOverTime(_ argument: String) -> SeriesCall { series("last_over_time", argument) }
