import CRdkafka
import Platform
import StreamEngine

/// Owns one `rd_kafka_t` and the queue its events come on. Used by one thread (librdkafka's own threads aside).
final class KafkaClient {
    let handle: OpaquePointer
    let role: KafkaConfiguration.Role
    let brokers: String
    /// What a partition's prefetch queue holds at most (and a fetch more).
    let prefetchBytes: Int
    let prefetchRecords: Int
    private let log: @Sendable (KafkaLogLine) -> Void
    /// Brokers that `brokerDown` was said of.
    private var downBrokers: Set<String> = []
    private var warned: Set<String> = []
    /// False from the moment when no broker could be reached until one is up again. While it is false no partition is
    /// known to be at its end.
    private(set) var isReachable = true
    /// What the brokers can do, where the client was made to listen for it.
    private(set) var versions = KafkaBrokerVersions()
    /// Why the open transaction can only be aborted, as librdkafka logs it; it says so nowhere else before the commit.
    var transactionFailure: String?
    /// Records that librdkafka may read.
    private var lent: [KafkaRecordStore] = []
    /// What librdkafka's topics call.
    private var partitionings: [KafkaPartitioning] = []
    /// Lines of level 7 are the user's wish, not only ours.
    private let isDebugging: Bool

    /// Makes a client. `prepare` may add events or callbacks.
    init(_ configuration: KafkaConfiguration, log: @escaping @Sendable (KafkaLogLine) -> Void) throws(SourceError) {
        role = configuration.role
        func setting(_ name: String) -> String? { configuration.settings.last { $0.name == name }?.value }
        brokers = setting("bootstrap.servers") ?? ""
        prefetchBytes = (setting("queued.max.messages.kbytes").flatMap { Int($0) } ?? 65_536) * 1024
        prefetchRecords = setting("queued.min.messages").flatMap { Int($0) } ?? 100_000
        self.log = log
        isDebugging = setting("debug").map { $0 != KafkaBrokerVersions.debugContext } ?? true
        guard let conf = rd_kafka_conf_new() else { throw SourceError(.fatal, "librdkafka gives no configuration") }
        for setting in configuration.settings {
            if let problem = KafkaConfiguration.set(setting.name, setting.value, on: conf) {
                rd_kafka_conf_destroy(conf)
                throw SourceError(.configuration, "librdkafka does not take `\(setting.name)`: \(problem)")
            }
        }
        rd_kafka_conf_set_events(
            conf,
            RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG | RD_KAFKA_EVENT_STATS
                | RD_KAFKA_EVENT_OFFSET_COMMIT | RD_KAFKA_EVENT_DR)
        // Everything comes as events; what is left in the queue when a client closes is not worth a line on stderr.
        rd_kafka_conf_set_log_cb(conf) { _, _, _, _ in }
        rd_kafka_conf_set_error_cb(conf) { _, _, _, _ in }
        var text = [CChar](repeating: 0, count: 512)
        let type = configuration.role == .consumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER
        guard let handle = rd_kafka_new(type, conf, &text, text.count) else {
            rd_kafka_conf_destroy(conf)
            throw SourceError(.configuration, "librdkafka refuses these settings: \(KafkaClient.string(text))")
        }
        self.handle = handle
        rd_kafka_set_log_queue(handle, nil)
    }

    deinit {
        // Returns when librdkafka's threads have ended.
        rd_kafka_destroy(handle)
        returnLent()
    }

    /// Keeps these records where they are until `returnLent`.
    func lend(_ store: KafkaRecordStore) {
        store.isLent = true
        lent.append(store)
    }

    /// Keeps this as long as librdkafka may call it.
    func keep(_ partitioning: KafkaPartitioning) { partitionings.append(partitioning) }

    /// librdkafka holds no record any more.
    func returnLent() {
        for store in lent { store.isLent = false }
        lent.removeAll()
    }

    /// The text of a C buffer.
    static func string(_ buffer: [CChar]) -> String {
        String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// What an error, log or statistics event means for the engine; nothing for other events.
    func meaning(of event: OpaquePointer) -> [SourceEvent] {
        switch rd_kafka_event_type(event) {
        case RD_KAFKA_EVENT_LOG: takeLog(event)
        case RD_KAFKA_EVENT_STATS: return takeStatistics(event)
        case RD_KAFKA_EVENT_ERROR: return takeError(event)
        default: break
        }
        return []
    }

    private func takeLog(_ event: OpaquePointer) {
        var facility: UnsafePointer<CChar>?
        var text: UnsafePointer<CChar>?
        var level: Int32 = 0
        guard rd_kafka_event_log(event, &facility, &text, &level) == 0, let facility, let text else { return }
        // These two come as error events as well, and one cause gives one message.
        let name = String(cString: facility)
        guard name != "FAIL", name != "ERROR" else { return }
        let line = String(cString: text)
        if name == "APIVERSION" { versions.note(line) }
        if name == "TXNERR" { transactionFailure = line }
        guard level < 7 || isDebugging else { return }
        log(KafkaLogLine(level: Int(level), text: "\(name): \(line)"))
    }

    private func takeStatistics(_ event: OpaquePointer) -> [SourceEvent] {
        guard !downBrokers.isEmpty || !isReachable, let text = rd_kafka_event_stats(event) else { return [] }
        let bytes = UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self)
        var count = 0
        while bytes[count] != 0 { count += 1 }
        let up = KafkaBrokerStates.up(in: UnsafeBufferPointer(start: bytes, count: count))
        if !up.isEmpty { isReachable = true }
        return up.filter { downBrokers.remove($0) != nil }.map { .brokerUp("Kafka broker \($0) answers again") }
    }

    private func takeError(_ event: OpaquePointer) -> [SourceEvent] {
        let code = rd_kafka_event_error(event)
        let text = rd_kafka_event_error_string(event).map { String(cString: $0) } ?? KafkaErrors.text(code)
        // The code of the event itself is not always the fatal one: a static member that is fenced has its own.
        if let fatal = fatalError() { return [.failed(fatal)] }
        switch code {
        case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
            isReachable = false
            guard downBrokers.isEmpty else { return [] }
            return down(brokers, "no broker answers (\(text))")
        case RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__RESOLVE, RD_KAFKA_RESP_ERR__SSL,
            RD_KAFKA_RESP_ERR__TIMED_OUT:
            return takeTransportError(text)
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
            return warned.insert(text).inserted ? [.warning(KafkaClient.missingTopic(text, brokers))] : []
        default:
            switch KafkaErrors.kind(code) {
            case .notAuthorised, .configuration:
                return [.failed(KafkaErrors.error(code, "Kafka \(role.rawValue)", detail: text))]
            case .unreachable, .timedOut, .unknownTopic, .dataLoss, .fenced, .fatal, .other:
                return warned.insert(text).inserted ? [.warning("Kafka \(role.rawValue): \(text)")] : []
            }
        }
    }

    /// Why the client cannot go on; nil while it can.
    private func fatalError() -> SourceError? {
        var reason = [CChar](repeating: 0, count: 512)
        let cause = rd_kafka_fatal_error(handle, &reason, reason.count)
        guard cause != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
        let kind: SourceError.Kind
        let way: String
        switch KafkaErrors.kind(cause) {
        case .fenced:
            kind = .fenced
            way = "; another client runs with the same `group.instance.id` or transactional id"
        case .notAuthorised:
            kind = .notAuthorised
            way = "; check the ACLs of the job's topics, its group and its transactional id"
        case .configuration, .unreachable, .timedOut, .unknownTopic, .dataLoss, .fatal, .other:
            kind = .fatal
            way = ""
        }
        return SourceError(kind, "Kafka \(role.rawValue): \(KafkaClient.string(reason))\(way)")
    }

    /// `Subscribed topic not available: metrics: Broker: Unknown topic or partition`, in words of what is to be done.
    private static func missingTopic(_ text: String, _ brokers: String) -> String {
        let prefix = "Subscribed topic not available: "
        guard text.hasPrefix(prefix), let end = text.firstRange(of: ": Broker: ") else { return text }
        let name = text[text.index(text.startIndex, offsetBy: prefix.count)..<end.lowerBound]
        return name.hasPrefix("^")
            ? "no topic on \(brokers) matches \(name); waiting for one"
            : "topic \(name) does not exist on \(brokers) (or may not be seen); waiting for it, it is read when it appears"
    }

    /// `localhost:9092/1: Connect to … failed: …`, or the same behind `GroupCoordinator: `.
    private func takeTransportError(_ text: String) -> [SourceEvent] {
        var rest = Substring(text)
        for role in ["GroupCoordinator: ", "TxnCoordinator: "] where rest.hasPrefix(role) {
            rest = rest.dropFirst(role.count)
        }
        guard let colon = rest.firstRange(of: ": ") else { return down(brokers, text) }
        let reason = rest[colon.upperBound...]
        // Brokers close idle connections; one that is gone refuses the next, and that is told.
        guard !reason.hasPrefix("Disconnected") else { return [] }
        return down(KafkaBrokerStates.address(String(rest[..<colon.lowerBound])), String(reason))
    }

    /// The warnings begin anew: what was warned of is over.
    func forgetWarnings() { warned.removeAll() }

    private func down(_ broker: String, _ reason: String) -> [SourceEvent] {
        guard downBrokers.insert(broker).inserted else { return [] }
        return [.brokerDown("Kafka broker \(broker) cannot be reached, trying again: \(reason)")]
    }
}
