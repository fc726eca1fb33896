import Platform

/// The state of a one-broker cluster, and the door requests come in by.
///
/// One thread owns it (the broker's loop, or a test). It knows no sockets: a request is a frame, an answer a closure.
final class Cluster {
    /// This broker's id.
    static let nodeId: Int32 = 1
    /// The leader epoch of every partition: there is one replica, so it never changes.
    static let leaderEpoch: Int32 = 0

    let configuration: BrokerConfiguration
    let timers = Timers()
    let gate: WriteGate
    let storage: LogStorage
    private let clock: any Clock
    private var openedJournal: Journal?
    var faults: FaultPlan
    var random: SplitMix64
    /// Where clients are told to connect.
    var advertised: (host: String, port: Int32) = ("127.0.0.1", 0)
    private(set) var clusterId = Uuid.zero
    var topics: [String: ClusterTopic] = [:]
    var topicNames: [Uuid: String] = [:]
    var nextProducerId: Int64 = 0
    var logStarts: [TopicPartition: Int64] = [:]
    /// Produce requests that wait for a frozen partition.
    var heldBack: [() -> Void] = []
    lazy var groups = GroupCoordinator(self)
    lazy var transactions = TransactionCoordinator(self)

    /// Opens the data folder, recovering what a crash left.
    init(_ configuration: BrokerConfiguration, clock: any Clock) throws(StorageError) {
        self.configuration = configuration
        self.clock = clock
        let seed = configuration.seed ?? UInt64.random(in: .min ... .max)
        random = SplitMix64(seed: seed)
        faults = FaultPlan(seed: seed)
        gate = WriteGate(clock: clock)
        if let path = configuration.dataDirectory {
            try LogStorage.makeFolder(path)
            storage = .directory(path)
        } else {
            storage = .memory
        }
        try recover()
    }

    /// The monotonic clock, milliseconds.
    var monotonicMs: Int64 { clock.monotonicNs() / 1_000_000 }
    /// The wall clock, milliseconds since 1970.
    var wallMs: Int64 { clock.wallMs() }
    /// Whether the broker counts as killed: nothing is stored or answered any more.
    var isCrashed: Bool { gate.isShut }

    // MARK: Requests

    /// Answers the request in `frame`; `finish` is called once, now or later, unless the broker crashes.
    func receive(_ frame: FrameBuffer, clientHost: String, finish: @escaping (Exchange.Outcome) -> Void) {
        guard !isCrashed else { return }
        let guarded: (Exchange.Outcome) -> Void = { [gate] outcome in
            // What a killed broker had in hand is never sent.
            if !gate.isShut { finish(outcome) }
        }
        guard let header = RequestHeader(frame), let type = ApiRegistry.request(header.key) else {
            return guarded(.disconnect)
        }
        let api = type.api
        guard api.versions.contains(header.version) else {
            guard api.key == ApiVersionsRequest.api.key else { return guarded(.disconnect) }
            // Kafka answers with version 0, whatever was asked, so that the client can go on with less.
            Exchange(
                api: api, version: 0, correlationId: header.correlationId, clientId: "", clientHost: clientHost,
                finish: guarded
            ).respond(ApiVersionsRequest().failed(.unsupportedVersion))
            return
        }
        do {
            let flexible = header.version >= api.flexibleSince
            let (clientId, bodyAt) = try RequestHeader.readRest(frame, flexible: flexible)
            let exchange = Exchange(
                api: api, version: header.version, correlationId: header.correlationId, clientId: clientId,
                clientHost: clientHost, finish: guarded)
            try type.serve(frame, at: bodyAt, exchange, self)
        } catch {
            guarded(.disconnect)
        }
    }

    /// Runs the timers that are due.
    func runTimers() {
        guard !isCrashed else { return }
        timers.run(nowMs: monotonicMs)
    }

    // MARK: Durable state

    /// Makes a change durable; false when the disk refused it.
    func record(_ kind: JournalEntry.Kind, _ fill: (inout JournalEntry) -> Void) -> Bool {
        guard let openedJournal else { return false }
        do throws(StorageError) {
            try openedJournal.append(kind, fill)
            return true
        } catch {
            // The gate has said it; what asked answers that it was not done.
            return false
        }
    }

    private func recover() throws(StorageError) {
        var recovered = RecoveredState()
        let journal = try Journal(storage, gate: gate) { recovered.apply($0) }
        openedJournal = journal
        clusterId = recovered.clusterId
        nextProducerId = recovered.nextProducerId
        logStarts = recovered.logStarts
        if clusterId == .zero {
            clusterId = random.uuid()
            let id = clusterId
            try journal.append(.identity) { $0.clusterId = id }
        }
        try openTopics(recovered.topics)
        groups.restore(recovered)
        transactions.restore(recovered.transactions.values.sorted { $0.transactionalId < $1.transactionalId })
        scheduleUpkeep()
    }

    /// Retention, expiry and the journal's rewriting, for ever.
    private func scheduleUpkeep() {
        timers.schedule(atMs: monotonicMs + configuration.retentionCheckMs) { [weak self] in
            guard let self else { return }
            upkeep()
            scheduleUpkeep()
        }
    }

    /// Removes what retention and expiry say.
    func upkeep() {
        let nowMs = wallMs
        for topic in topics.values {
            for partition in topic.partitions {
                if partition.log.retain(nowMs: nowMs) { partition.changed(bytes: 0) }
                partition.log.expireProducers(before: nowMs - configuration.producerExpirationMs)
                partition.forgetAnswered()
            }
        }
        groups.expireOffsets(nowMs: nowMs)
        guard let journal = openedJournal, journal.wantsCompaction else { return }
        do {
            try journal.compact(snapshot())
        } catch {
            // The old journal stays in force; the next upkeep tries again.
            BrokerLog.warn("\(error)")
        }
    }

    private func snapshot() -> [JournalEntry] {
        var entries: [JournalEntry] = []
        func add(_ kind: JournalEntry.Kind, _ fill: (inout JournalEntry) -> Void) {
            var entry = JournalEntry()
            entry.kind = kind.rawValue
            fill(&entry)
            entries.append(entry)
        }
        add(.identity) { $0.clusterId = clusterId }
        add(.producerIds) { $0.producerId = nextProducerId }
        for topic in topics.values { add(.topic) { $0.topic = topic.entry } }
        for (partition, offset) in logStarts {
            add(.logStart) { $0.logStart = LogStartEntry(partition: partition, offset: offset) }
        }
        for transaction in transactions.states { add(.transaction) { $0.transaction = transaction } }
        groups.snapshot(add)
        return entries
    }

    /// Writes what makes the next start fast. Not called by a crash.
    func close() {
        for topic in topics.values {
            for partition in topic.partitions {
                do {
                    try partition.log.writeSideFile()
                } catch {
                    // Without it the next start scans the segment; nothing is lost.
                    BrokerLog.warn("\(error)")
                }
            }
        }
    }
}

extension Cluster {
    /// The cluster's id as clients see it: 22 characters, as Kafka's base-64 ids have.
    var clusterIdText: String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        var text = ""
        for word in [clusterId.high, clusterId.low] {
            for shift in stride(from: UInt64(58), through: 0, by: -6) {
                text.append(alphabet[Int((word >> shift) & 63)])
            }
            text.append(alphabet[Int((word & 15) << 2)])
        }
        return text
    }
}

extension Cluster {
    /// Random text for a member's id.
    func randomText() -> String {
        let id = random.uuid()
        return String(id.high, radix: 16) + String(id.low, radix: 16)
    }
}
