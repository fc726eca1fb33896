import StreamEngine

/// The outer aggregates over buckets of histograms.
public enum BucketAggregates {
    /// Every bucket aggregate. Adding one is one file beside this one and one line here.
    public static let all: [any BucketAggregate.Type] = [HistogramQuantile.self]

    /// The aggregate of this name.
    public static func named(_ name: String) -> (any BucketAggregate.Type)? {
        all.first { $0.name == name }
    }
}
