import StreamEngine

/// `predict_linear(x, seconds)`: where the straight line through a gauge's samples will be `seconds` after the window's
/// end. Needs two samples.
public struct PredictLinear: SeriesFunction {
    public static let name = "predict_linear"
    public static let summary = "a gauge's value so many seconds after the window, by linear regression"
    public static let parameter: SeriesFunctionParameter? = SeriesFunctionParameter(
        name: "seconds", position: .trailing, range: -.infinity ... .infinity)
    public static let expectsCounter: Bool? = false

    private let seconds: Double

    public init(parameter: Double?) {
        guard let parameter else { preconditionFailure("the plan hands over the seconds") }
        seconds = parameter
    }

    public func evaluate(
        _ timestampsMs: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>,
        windowStartMs: Int64, windowEndMs: Int64
    ) -> Double? {
        guard values.count >= 2 else { return nil }
        let line = LinearRegression(timestampsMs, values, interceptMs: windowEndMs)
        return line.slope * seconds + line.intercept
    }
}
