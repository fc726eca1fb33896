import StreamEngine

/// The per-series functions, in the order of the reference.
public enum SeriesFunctions {
    /// Every per-series function. Adding one is one file beside this one and one line here.
    public static let all: [any SeriesFunction.Type] = [
        Rate.self,
        Increase.self,
        Delta.self,
        InstantRate.self,
        Derivative.self,
        Changes.self,
        Resets.self,
        AverageOverTime.self,
        SumOverTime.self,
        MinimumOverTime.self,
        MaximumOverTime.self,
        LastOverTime.self,
        CountOverTime.self,
        StandardDeviationOverTime.self,
        QuantileOverTime.self,
        PredictLinear.self,
    ]

    /// The function of this name.
    public static func named(_ name: String) -> (any SeriesFunction.Type)? {
        all.first { $0.name == name }
    }
}
