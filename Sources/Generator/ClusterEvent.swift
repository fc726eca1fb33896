import StreamEngine

/// An event of the cluster, as the `event-json` format reads it.
public struct ClusterEvent: Sendable, Equatable {
    public let timestampMs: Int64
    public let type: String
    public let reason: String
    public let severity: String
    public let object: String
    public let message: String
    /// Number of the node concerned; nil: the whole cluster.
    public let node: Int?

    /// One JSON object. None of the texts needs escapes: they are this module's own.
    public var json: String {
        var labels = "\"cluster\":\"demo\""
        if let node { labels += ",\"node\":\"node-\(node + 1)\",\"instance\":\"node-\(node + 1):9100\"" }
        return "{\"timestamp\":\"\(EventTime.rfc3339(timestampMs))\",\"type\":\"\(type)\",\"reason\":\"\(reason)\","
            + "\"severity\":\"\(severity)\",\"object\":\"\(object)\",\"message\":\"\(message)\",\"labels\":{\(labels)}}"
    }
}

extension Incident {
    /// What the cluster says of it, in time order; nothing after `beforeMs`.
    func events(before beforeMs: Int64) -> [ClusterEvent] {
        let name = "node-\(node + 1)"
        func event(_ atMs: Int64, _ type: String, _ reason: String, _ severity: String, _ message: String)
            -> ClusterEvent
        {
            ClusterEvent(
                timestampMs: atMs, type: type, reason: reason, severity: severity, object: "Node/\(name)",
                message: message, node: node)
        }
        let middleMs = startMs + (endMs - startMs) / 2
        let all: [ClusterEvent] =
            switch kind {
            case .normal, .skewed: []
            case .memory:
                [
                    event(middleMs, "NodeMemoryPressure", "EvictionThresholdMet", "warning", "memory is getting short"),
                    event(endMs, "Pod", "OOMKilled", "warning", "a container was killed: out of memory"),
                ]
            case .slow:
                [event(middleMs, "Node", "CPUThrottlingHigh", "warning", "processes wait for CPU")]
            case .failure:
                [
                    event(startMs, "Node", "NodeNotReady", "critical", "the kubelet does not answer"),
                    event(endMs, "Node", "NodeReady", "info", "the kubelet answers again"),
                ]
            }
        return all.filter { $0.timestampMs < beforeMs }
    }
}
