import StreamEngine

/// The outer aggregates, in the order of the reference.
public enum Aggregates {
    /// Every outer aggregate. Adding one is one file beside this one and one line here.
    public static let all: [any Aggregate.Type] = [
        Count.self,
        Sum.self,
        Average.self,
        Minimum.self,
        Maximum.self,
        StandardDeviation.self,
        PopulationStandardDeviation.self,
        Variance.self,
        First.self,
        Last.self,
        Quantile.self,
        ApproximateDistinct.self,
    ]

    /// The aggregate of this name.
    public static func named(_ name: String) -> (any Aggregate.Type)? {
        all.first { $0.name == name }
    }
}
