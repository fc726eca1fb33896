import StreamEngine

/// Something that goes wrong, and the series that show it.
public struct Incident: Sendable, Equatable {
    /// First ms of it.
    public let startMs: Int64
    /// The ms after its last.
    public let endMs: Int64
    public let kind: WorkloadMode
    /// Number of the node concerned, from 0.
    public let node: Int

    /// Whether a time lies in it.
    public func contains(_ timestampMs: Int64) -> Bool { (startMs..<endMs).contains(timestampMs) }

    /// How far it has got: 0 at its start, 1 at its end.
    func progress(_ timestampMs: Int64) -> Double {
        Double(timestampMs - startMs) / Double(max(endMs - startMs, 1))
    }

    /// PromQL matchers of the series concerned.
    public var selector: String {
        switch kind {
        case .skewed: "{executor_id=\"\(node + 1)\"}"
        case .normal, .memory, .slow, .failure: "{instance=~\"node-\(node + 1):.+\"}"
        }
    }

    /// For people.
    public var description: String {
        let name = "node-\(node + 1)"
        return switch kind {
        case .normal: "nothing happens"
        case .memory: "\(name) leaks memory"
        case .slow: "\(name)'s CPUs saturate"
        case .skewed: "executor \(node + 1) gets most of the tasks"
        case .failure: "\(name) goes away"
        }
    }

    /// The first line of a labels file (JOBS.md "Incident labels").
    public static let csvHeader = "start,end,kind,selector"

    /// A line of a labels file; the selector is quoted as RFC 4180 has it.
    public var csv: String {
        let quoted = selector.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
        return "\(EventTime.rfc3339(startMs)),\(EventTime.rfc3339(endMs)),\(kind.rawValue),\"\(quoted)\""
    }
}

/// Which incidents a workload has: one in each period, a third of it long, from the seed alone.
struct IncidentPlan {
    private let settings: WorkloadSettings
    private let nodes: Int

    init(_ settings: WorkloadSettings, nodes: Int) {
        self.settings = settings
        self.nodes = nodes
    }

    /// The incident of the period a time lies in; nil where there is none, or none that fits before the end.
    func incident(at timestampMs: Int64) -> Incident? { incident(period: period(of: timestampMs)) }

    /// Number of the period a time lies in.
    func period(of timestampMs: Int64) -> Int64 {
        EventTime.floorDivide(timestampMs - settings.startMs, settings.periodMs)
    }

    func incident(period: Int64) -> Incident? {
        guard settings.mode != .normal, period >= 0 else { return nil }
        var random = SeededRandom(seed: settings.seed, stream: 0x1_0000_0000 &+ UInt64(period))
        let length = max(settings.periodMs / 3, 1)
        let shift = Int64(Double(settings.periodMs / 10) * random.uniform())
        let startMs = settings.startMs + period * settings.periodMs + settings.periodMs * 2 / 5 + shift
        guard startMs < settings.endMs else { return nil }
        let node = Int(random.next() % UInt64(nodes))
        return Incident(
            startMs: startMs, endMs: min(startMs + length, settings.endMs), kind: settings.mode, node: node)
    }
}
