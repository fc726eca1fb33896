/// A node of the workload: its series in order, and their values as time goes by.
struct GeneratedNode: Sendable {
    /// Series of one node.
    static let seriesCount = 35

    let number: Int
    let series: [GeneratedSeries]
    private var parts: [any NodePart]
    private var random: SeededRandom
    private var lastMs: Int64?
    private var isDown = false

    init(number: Int, seed: UInt64) {
        self.number = number
        var random = SeededRandom(seed: seed, stream: UInt64(number))
        parts = [
            NodeMachine(instance: "node-\(number + 1):9100", &random), NodeContainers(node: number, &random),
            NodeService(node: number, &random), NodeExecutor(node: number, &random),
        ]
        series = parts.flatMap(\.series)
        self.random = random
    }

    /// Moves on to a time and puts each series' value into `out`. While the node is away only `up` has one, 0.
    mutating func scrape(_ timestampMs: Int64, _ incident: Incident?, into out: inout [Double]) {
        out.removeAll(keepingCapacity: true)
        let elapsed = lastMs.map { Double(timestampMs - $0) / 1000 } ?? 0
        lastMs = timestampMs
        let active = incident.flatMap { $0.contains(timestampMs) ? $0 : nil }
        var condition = NodeCondition()
        condition.timeOfDay = Double(timestampMs % 86_400_000) / 86_400_000
        if let active { apply(active, timestampMs, to: &condition) }
        if let active, active.kind == .failure, active.node == number {
            isDown = true
            out.append(0)
            return
        }
        if isDown {
            isDown = false
            for index in parts.indices { parts[index].restart() }
        }
        for index in parts.indices { parts[index].advance(seconds: elapsed, condition, &random, &out) }
    }

    private func apply(_ incident: Incident, _ timestampMs: Int64, to condition: inout NodeCondition) {
        let isMine = incident.node == number
        switch incident.kind {
        case .normal: break
        case .memory: if isMine { condition.leak = incident.progress(timestampMs) }
        case .slow: if isMine { condition.slowdown = 8 }
        case .skewed: condition.taskFactor = isMine ? 6 : 0.3
        case .failure: condition.errorShare = 0.15
        }
    }
}
