/// A fault in words, for the admin port and the command line:
///
///     error API CODE [TIMES]   answer with CODE (name or number), not applied
///     drop API [TIMES]         close the connection, not applied
///     delay API MS [TIMES]     apply MS milliseconds later
///     lose API [TIMES]         apply, then close the connection without the answer
///     crash [API]              stop as by kill -9, now or at the next such request
///     freeze TOPIC PARTITION   store and read nothing until thawed
///     thaw TOPIC PARTITION
///     disk-full [WRITES]       refuse writes to the disk as a full one does, so many or until cleared
///     disconnect               close all connections
///     clear                    end all faults but frozen partitions
///     status                   connections, topics, requests hit by faults
///
/// API is a name such as `Produce`, or `*` for all.
public enum FaultCommand: Sendable, Equatable {
    case rule(api: Int16?, FaultAction, times: Int)
    case freeze(topic: String, partition: Int32)
    case thaw(topic: String, partition: Int32)
    case crash
    case diskFull(writes: Int?)
    case disconnect
    case clear
    case status

    /// Reads a command.
    public init(_ text: String) throws(BrokerError) {
        let words = text.split(whereSeparator: \.isWhitespace).map(String.init)
        let form: String
        switch words.first {
        case "error" where words.count >= 3:
            guard let code = ErrorCode.named(words[2]) else { throw BrokerError("no error code `\(words[2])`") }
            self = .rule(
                api: try Self.api(words[1]), .error(code.rawValue), times: try Self.count(words, 3))
            return
        case "drop" where words.count >= 2:
            self = .rule(api: try Self.api(words[1]), .drop, times: try Self.count(words, 2))
            return
        case "delay" where words.count >= 3:
            guard let delay = Int64(words[2]), (0...3_600_000).contains(delay) else {
                throw BrokerError("`\(words[2])` is no number of milliseconds up to an hour")
            }
            self = .rule(api: try Self.api(words[1]), .delay(milliseconds: delay), times: try Self.count(words, 3))
            return
        case "lose" where words.count >= 2:
            self = .rule(api: try Self.api(words[1]), .loseResponse, times: try Self.count(words, 2))
            return
        case "crash" where words.count == 1:
            self = .crash
            return
        case "crash" where words.count == 2:
            self = .rule(api: try Self.api(words[1]), .crash, times: 1)
            return
        case "freeze" where words.count == 3, "thaw" where words.count == 3:
            guard let partition = Int32(words[2]) else { throw BrokerError("`\(words[2])` is no partition") }
            self =
                words[0] == "freeze"
                ? .freeze(topic: words[1], partition: partition) : .thaw(topic: words[1], partition: partition)
            return
        case "disk-full":
            self = .diskFull(writes: words.count > 1 ? try Self.count(words, 1) : nil)
            return
        case "disconnect":
            self = .disconnect
            return
        case "clear":
            self = .clear
            return
        case "status":
            self = .status
            return
        case "error": form = "error API CODE [TIMES]"
        case "drop": form = "drop API [TIMES]"
        case "delay": form = "delay API MS [TIMES]"
        case "lose": form = "lose API [TIMES]"
        case "crash": form = "crash [API]"
        case "freeze": form = "freeze TOPIC PARTITION"
        case "thaw": form = "thaw TOPIC PARTITION"
        default:
            throw BrokerError(
                "no fault `\(text)`; there are error, drop, delay, lose, crash, freeze, thaw, disk-full, disconnect, clear, "
                    + "status"
            )
        }
        throw BrokerError("`\(text)` is not of the form `\(form)`")
    }

    private static func api(_ name: String) throws(BrokerError) -> Int16? {
        if name == "*" { return nil }
        guard let type = ApiRegistry.request(named: name) else { throw BrokerError("no API `\(name)`") }
        return type.api.key
    }

    private static func count(_ words: [String], _ index: Int) throws(BrokerError) -> Int {
        guard words.count > index else { return 1 }
        guard words.count == index + 1, let times = Int(words[index]), times > 0 else {
            throw BrokerError("`\(words[index...].joined(separator: " "))` is no number of times")
        }
        return times
    }

    /// Puts the command into force; what to answer.
    func apply(to loop: EventLoop) -> String {
        let cluster = loop.cluster
        switch self {
        case .rule(let api, let action, let times):
            guard let inner = action.planned else { return "error: no such error code" }
            cluster.faults.add(FaultPlan.Rule(key: api, action: inner, left: times))
        case .freeze(let topic, let partition), .thaw(let topic, let partition):
            guard let found = cluster.partition(topic, partition) else { return "error: no \(topic)-\(partition)" }
            if case .freeze = self { found.isFrozen = true } else { cluster.thaw(found) }
        case .crash: cluster.gate.shut()
        case .diskFull(let writes): cluster.gate.refuse(count: writes)
        case .disconnect: loop.dropConnections()
        case .clear:
            cluster.faults.clear()
            cluster.gate.admit()
        case .status:
            let partitions = cluster.topics.values.reduce(0) { $0 + $1.partitions.count }
            return "connections \(loop.connectionCount), topics \(cluster.topics.count), partitions \(partitions), "
                + "fault hits \(cluster.faults.hits)"
        }
        return "ok"
    }
}

/// What a fault does to a request.
public enum FaultAction: Sendable, Equatable {
    /// Answers with this error code of Kafka's protocol; the request is not applied.
    case error(Int16)
    /// Closes the connection; the request is not applied.
    case drop
    /// Applies the request so much later.
    case delay(milliseconds: Int64)
    /// Applies the request and closes the connection without the answer.
    case loseResponse
    /// Stops the broker as by `kill -9` before the request is applied.
    case crash

    /// As the plan has it; nil: no such error code.
    var planned: FaultPlan.Action? {
        switch self {
        case .error(let code): ErrorCode(rawValue: code).map { .error($0) }
        case .drop: .drop
        case .delay(let milliseconds): .delay(milliseconds)
        case .loseResponse: .loseResponse
        case .crash: .crash
        }
    }
}

extension Cluster {
    /// Ends a partition's freeze: what was held back goes on.
    func thaw(_ partition: Partition) {
        partition.isFrozen = false
        let held = heldBack
        heldBack = []
        for action in held { action() }
        partition.changed(bytes: 0)
    }
}
