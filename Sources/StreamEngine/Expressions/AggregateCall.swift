/// A number written as a parameter, with its place.
public struct NumberParameter: Sendable, Hashable {
    public let value: Double
    public let range: SourceRange

    /// A number at its place.
    public init(_ value: Double, at range: SourceRange) {
        self.value = value
        self.range = range
    }

    /// Places do not count.
    public static func == (a: Self, b: Self) -> Bool { a.value == b.value }

    public func hash(into hasher: inout Hasher) { hasher.combine(value) }
}

/// The per-series call inside an aggregate: `rate(value)`, `quantile_over_time(0.9, value)`, `predict_linear(value,
/// 600)`.
///
/// The parser takes any name that is no scalar function; whether the name is known is for the plan to say.
public struct InnerCall: Sendable, Hashable {
    public let function: Expression.FunctionName
    /// The number before the argument.
    public let leading: NumberParameter?
    public let argument: Expression
    /// The numbers after the argument.
    public let trailing: [NumberParameter]
    /// From the function's name to the closing parenthesis.
    public let range: SourceRange

    /// A call at its place.
    public init(
        function: Expression.FunctionName, leading: NumberParameter?, argument: Expression,
        trailing: [NumberParameter], range: SourceRange
    ) {
        self.function = function
        self.leading = leading
        self.argument = argument
        self.trailing = trailing
        self.range = range
    }

    /// Leading and trailing numbers in order.
    public var parameters: [Double] { (leading.map { [$0] } ?? []).map(\.value) + trailing.map(\.value) }

    /// Places do not count.
    public static func == (a: Self, b: Self) -> Bool {
        a.function == b.function && a.leading == b.leading && a.argument == b.argument && a.trailing == b.trailing
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(function)
        hasher.combine(argument)
    }
}

/// One entry of `aggregates:` (JOBS.md): `outer(inner(expr)) where condition`.
///
/// Two calls are equal when they mean the same; places do not count.
public struct AggregateCall: Sendable, Hashable, CustomStringConvertible {
    /// The outer aggregate's name. The parser takes any name; whether it is known is for the plan to say.
    public let function: Expression.FunctionName
    /// The number before the argument: `quantile(0.9, value)`.
    public let parameter: NumberParameter?
    /// The per-series call, where there is one; then `argument` is nil.
    public let inner: InnerCall?
    /// The argument of each row; nil for `count()` and where there is an inner call.
    public let argument: Expression?
    /// What follows `where`.
    public let filter: Expression?
    /// From the function's name to the closing parenthesis, without the filter.
    public let range: SourceRange

    /// A call at its place.
    public init(
        function: Expression.FunctionName, parameter: NumberParameter?, inner: InnerCall?, argument: Expression?,
        filter: Expression?, range: SourceRange
    ) {
        self.function = function
        self.parameter = parameter
        self.inner = inner
        self.argument = argument
        self.filter = filter
        self.range = range
    }

    /// Places do not count.
    public static func == (a: Self, b: Self) -> Bool {
        a.function == b.function && a.parameter == b.parameter && a.inner == b.inner && a.argument == b.argument
            && a.filter == b.filter
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(function)
        hasher.combine(argument)
    }

    /// Canonical text: parses back to an equal call.
    public var description: String { ExpressionPrinter.text(of: self) }
}
