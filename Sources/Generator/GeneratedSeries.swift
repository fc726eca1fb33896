/// A series of the workload: its name, labels and type.
public struct GeneratedSeries: Sendable {
    /// What `# TYPE` says of a metric.
    public enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    public let name: String
    /// In the order written.
    public let labels: [(name: String, value: String)]
    public let kind: Kind

    init(_ name: String, _ kind: Kind, _ labels: [(String, String)]) {
        self.name = name
        self.kind = kind
        self.labels = labels.map { (name: $0.0, value: $0.1) }
    }

    /// The metric family `# TYPE` names: of a histogram's series the name without `_bucket`, `_sum`, `_count`.
    var family: String {
        guard kind == .histogram else { return name }
        for suffix in ["_bucket", "_sum", "_count"] where name.hasSuffix(suffix) {
            return String(name.dropLast(suffix.count))
        }
        return name
    }
}

/// How a node fares at some moment.
struct NodeCondition {
    /// Share of a day gone by, 0..<1.
    var timeOfDay = 0.0
    /// How far the node's memory leak has got, 0...1.
    var leak = 0.0
    /// Times the usual work of CPUs and the usual latency.
    var slowdown = 1.0
    /// Times the usual number of tasks.
    var taskFactor = 1.0
    /// Share of requests that fail.
    var errorShare = 0.002
}

/// Some series of one node that belong together.
protocol NodePart: Sendable {
    /// In the order of their values.
    var series: [GeneratedSeries] { get }
    /// Moves on by `seconds` and appends a value for each series.
    mutating func advance(
        seconds: Double, _ condition: NodeCondition, _ random: inout SeededRandom, _ out: inout [Double])
    /// Counters begin again at 0.
    mutating func restart()
}
