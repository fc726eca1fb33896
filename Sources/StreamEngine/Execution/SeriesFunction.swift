/// The number a per-series function takes beside its argument.
public struct SeriesFunctionParameter: Sendable, Equatable {
    /// Where the number stands in a call.
    public enum Position: Sendable, Equatable {
        /// Before the argument: `quantile_over_time(0.9, x)`.
        case leading
        /// After the argument: `predict_linear(x, 3600)`.
        case trailing
    }

    /// The number's name in messages and in the reference, with its unit: `q`, `seconds`.
    public let name: String
    public let position: Position
    /// Numbers outside are an error.
    public let range: ClosedRange<Double>
    /// Numbers outside are taken, as Prometheus takes them, but are hardly meant (a quantile of 95): worth a warning.
    public let usualRange: ClosedRange<Double>

    /// A number at its place; without `usualRange` every number of `range` is usual.
    public init(
        name: String, position: Position, range: ClosedRange<Double>, usualRange: ClosedRange<Double>? = nil
    ) {
        self.name = name
        self.position = position
        self.range = range
        self.usualRange = usualRange ?? range
    }
}

/// A per-series function (the inner function of `avg(rate(value))`, JOBS.md): Prometheus's function of the same name,
/// with the window as its range. Adding one is one file in `Operators/SeriesFunctions` and one line in the registry.
///
/// The window `[start, end)` is the range, its end the time of evaluation. Prometheus 2 takes the range closed on both
/// sides, Prometheus 3 open on the left: where no sample lies exactly on an edge, all three are the same.
///
/// Arithmetic is that of Prometheus 2.42 (`promql/functions.go`), operation by operation, so that results agree to
/// the last bits; a file says where Prometheus 3 computes otherwise.
public protocol SeriesFunction: Sendable {
    /// The name in a job.
    static var name: String { get }
    /// One line for `--help` and the reference.
    static var summary: String { get }
    /// The number it takes beside its argument, or nil where there is none.
    static var parameter: SeriesFunctionParameter? { get }
    /// Whether its argument is meant to be a counter: `validate` warns where a gauge is given, and for the others
    /// where a counter is. Nil where both make sense (`last_over_time`).
    static var expectsCounter: Bool? { get }

    /// A function for one column of a query. `parameter` is a number within `Self.parameter.range`; nil where there
    /// is none.
    init(parameter: Double?)

    /// The value of one series in one window, or nil where it has none (too few samples).
    ///
    /// `values[i]` was taken at `timestampsMs[i]`. Times rise strictly and lie in `[windowStartMs, windowEndMs)`;
    /// staleness markers are not among the values, other NaNs may be. O(samples), but for quantiles; allocates
    /// nothing on the heap but for quantiles of many samples.
    func evaluate(
        _ timestampsMs: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>,
        windowStartMs: Int64, windowEndMs: Int64
    ) -> Double?
}

extension SeriesFunction {
    public static var parameter: SeriesFunctionParameter? { nil }
    /// The name in a job.
    public var name: String { Self.name }
}
