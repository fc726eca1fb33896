/// The transactional ids of the cluster: epochs, fencing, and the two steps that end a transaction.
///
/// EndTxn is answered when the decision is in the journal. The markers follow `transactionMarkerDelayMs` later; until they
/// are all written the id answers CONCURRENT_TRANSACTIONS. After a crash in between, recovery writes them (again).
final class TransactionCoordinator {
    /// Time between attempts when the disk refuses, milliseconds.
    private static let retryMs: Int64 = 100

    private unowned let cluster: Cluster
    private var byId: [String: TransactionState] = [:]
    private var timeouts: [String: Timers.Timer] = [:]

    init(_ cluster: Cluster) { self.cluster = cluster }

    /// All transactional ids, by name.
    var states: [TransactionState] { byId.values.sorted { $0.transactionalId < $1.transactionalId } }

    /// What is known of an id.
    func state(_ transactionalId: String) -> TransactionState? { byId[transactionalId] }

    private func store(_ state: TransactionState) -> Bool {
        guard cluster.record(.transaction, { $0.transaction = state }) else { return false }
        byId[state.transactionalId] = state
        return true
    }

    // MARK: Producer ids

    /// A producer id never given out before; nil when the disk refuses the journal.
    func newProducerId() -> Int64? {
        let id = cluster.nextProducerId
        guard cluster.record(.producerIds, { $0.producerId = id + 1 }) else { return nil }
        cluster.nextProducerId = id + 1
        return id
    }

    /// Handles InitProducerId for a transactional id: bumps the epoch, which fences whoever used it before.
    func initialize(
        _ transactionalId: String, timeoutMs: Int32, producerId: Int64, epoch: Int16
    ) throws(GroupRefusal) -> (producerId: Int64, epoch: Int16) {
        guard !transactionalId.isEmpty else { throw GroupRefusal(.invalidRequest) }
        guard timeoutMs > 0, timeoutMs <= cluster.configuration.transactionMaxTimeoutMs else {
            throw GroupRefusal(.invalidTransactionTimeout)
        }
        guard var state = byId[transactionalId] else {
            guard producerId < 0 else { throw GroupRefusal(.invalidProducerIdMapping) }
            var state = TransactionState()
            state.transactionalId = transactionalId
            state.timeoutMs = timeoutMs
            state.epoch = 0
            guard let id = newProducerId() else { throw GroupRefusal(.notCoordinator) }
            state.producerId = id
            guard store(state) else { throw GroupRefusal(.notCoordinator) }
            return (state.producerId, state.epoch)
        }
        // A producer that names itself (KIP-360) must be the present one, or the one before whose answer was lost.
        if producerId >= 0 {
            let isPresent = producerId == state.producerId && (epoch == state.epoch || epoch == state.lastEpoch)
            guard isPresent || (producerId == state.lastProducerId && epoch >= 0) else {
                throw GroupRefusal(.producerFenced)
            }
        }
        switch state.phase {
        case .prepareCommit, .prepareAbort: throw GroupRefusal(.concurrentTransactions)
        case .ongoing:
            // The transaction under way is aborted with a higher epoch; the client asks again when that is done.
            if producerId >= 0 && epoch != state.epoch { throw GroupRefusal(.producerFenced) }
            try fenceAndAbort(state)
            throw GroupRefusal(.concurrentTransactions)
        case .empty, .completeCommit, .completeAbort: break
        }
        let isRepetition =
            producerId >= 0 && (producerId != state.producerId || epoch != state.epoch)
        if !isRepetition { try bump(&state, remembersEpoch: producerId >= 0) }
        state.timeoutMs = timeoutMs
        state.phase = .empty
        state.partitions = []
        state.groups = []
        state.startMs = -1
        guard store(state) else { throw GroupRefusal(.notCoordinator) }
        return (state.producerId, state.epoch)
    }

    private func bump(_ state: inout TransactionState, remembersEpoch: Bool) throws(GroupRefusal) {
        if state.epoch >= Int16.max - 1 {
            guard let id = newProducerId() else { throw GroupRefusal(.notCoordinator) }
            state.lastProducerId = remembersEpoch ? state.producerId : -1
            state.producerId = id
            state.lastEpoch = -1
            state.epoch = 0
        } else {
            state.lastEpoch = remembersEpoch ? state.epoch : -1
            state.epoch += 1
        }
    }

    private func fenceAndAbort(_ state: TransactionState) throws(GroupRefusal) {
        var state = state
        if state.epoch < Int16.max { state.epoch += 1 }
        state.lastEpoch = -1
        guard decide(&state, commits: false) else { throw GroupRefusal(.notCoordinator) }
    }

    // MARK: Taking part

    /// The id's state, if `producerId` and `epoch` are its present ones.
    private func checked(
        _ transactionalId: String, _ producerId: Int64, _ epoch: Int16
    ) throws(GroupRefusal) -> TransactionState {
        guard let state = byId[transactionalId], state.producerId == producerId else {
            throw GroupRefusal(.invalidProducerIdMapping)
        }
        guard state.epoch == epoch else { throw GroupRefusal(.producerFenced) }
        return state
    }

    /// Handles AddPartitionsToTxn and AddOffsetsToTxn; durable before it returns.
    func add(
        _ transactionalId: String, producerId: Int64, epoch: Int16, partitions: [TopicPartition] = [],
        group: String? = nil
    ) throws(GroupRefusal) {
        var state = try checked(transactionalId, producerId, epoch)
        guard !state.isDeciding else { throw GroupRefusal(.concurrentTransactions) }
        let isNew = state.phase != .ongoing
        if isNew {
            state.phase = .ongoing
            state.partitions = []
            state.groups = []
            state.startMs = cluster.wallMs
        }
        let known = Set(state.partitions)
        let added = partitions.filter { !known.contains($0) }
        state.partitions.append(contentsOf: added)
        let addsGroup = group.map { !state.groups.contains($0) } ?? false
        if addsGroup, let group { state.groups.append(group) }
        guard isNew || !added.isEmpty || addsGroup else { return }
        guard store(state) else { throw GroupRefusal(.notCoordinator) }
        if isNew { watchTimeout(state) }
    }

    /// Whether a transactional batch may be written: its partition must be in the ongoing transaction (KIP-890).
    func checkWrite(
        _ transactionalId: String?, _ batch: RecordBatchHeader, _ partition: TopicPartition
    ) throws(BatchRefusal) {
        guard let transactionalId, let state = byId[transactionalId], state.producerId == batch.producerId else {
            throw BatchRefusal(
                code: .invalidProducerIdMapping,
                message: "producer \(batch.producerId) is not that of the transactional id")
        }
        guard state.epoch == batch.producerEpoch else {
            throw BatchRefusal(
                code: .invalidProducerEpoch,
                message: "the epoch is \(state.epoch), the batch has \(batch.producerEpoch)")
        }
        guard state.phase == .ongoing, state.partitions.contains(partition) else {
            throw BatchRefusal(
                code: .invalidTxnState, message: "the partition is not part of an ongoing transaction")
        }
    }

    /// Whether offsets may be held for a transaction: AddOffsetsToTxn must have come for the group.
    func checkOffsets(
        _ transactionalId: String, producerId: Int64, epoch: Int16, group: String
    ) throws(GroupRefusal) {
        guard let state = byId[transactionalId], state.producerId == producerId else {
            throw GroupRefusal(.invalidProducerIdMapping)
        }
        guard state.epoch == epoch else { throw GroupRefusal(.invalidProducerEpoch) }
        guard state.phase == .ongoing, state.groups.contains(group) else { throw GroupRefusal(.invalidTxnState) }
    }

    // MARK: Ending

    /// Handles EndTxn: durable before it returns; the markers follow.
    func end(_ transactionalId: String, producerId: Int64, epoch: Int16, commits: Bool) throws(GroupRefusal) {
        var state = try checked(transactionalId, producerId, epoch)
        switch state.phase {
        case .ongoing:
            guard decide(&state, commits: commits) else { throw GroupRefusal(.notCoordinator) }
        case .completeCommit: if !commits { throw GroupRefusal(.invalidTxnState) }
        case .completeAbort: if commits { throw GroupRefusal(.invalidTxnState) }
        case .prepareCommit: throw GroupRefusal(commits ? .concurrentTransactions : .invalidTxnState)
        case .prepareAbort: throw GroupRefusal(commits ? .invalidTxnState : .concurrentTransactions)
        case .empty: throw GroupRefusal(.invalidTxnState)
        }
    }

    private func decide(_ state: inout TransactionState, commits: Bool) -> Bool {
        state.phase = commits ? .prepareCommit : .prepareAbort
        guard store(state) else { return false }
        timeouts.removeValue(forKey: state.transactionalId)?.cancel()
        scheduleMarkers(state.transactionalId)
        return true
    }

    /// `isRetry`: the disk has refused the markers; it is not asked again at once.
    private func scheduleMarkers(_ transactionalId: String, isRetry: Bool = false) {
        let delayMs = max(isRetry ? Self.retryMs : 0, cluster.configuration.transactionMarkerDelayMs)
        let dueMs = cluster.monotonicMs + delayMs
        cluster.timers.schedule(atMs: dueMs) { [weak self] in self?.complete(transactionalId) }
    }

    /// Writes the markers, then the offsets, then that the transaction is over. Repeated when the disk refuses.
    private func complete(_ transactionalId: String) {
        guard var state = byId[transactionalId], state.isDeciding, !cluster.isCrashed else { return }
        let commits = state.phase == .prepareCommit
        do {
            for item in state.partitions {
                guard let partition = cluster.partition(item.topic, item.partition) else { continue }
                let nowMs = cluster.wallMs
                try partition.log.append(
                    commits ? .commit : .abort, producerId: state.producerId, epoch: state.epoch, nowMs: nowMs)
            }
        } catch {
            // The gate has said why. Partitions that have their marker get it again, which changes nothing.
            return scheduleMarkers(transactionalId, isRetry: true)
        }
        for group in state.groups where !cluster.groups.decide(group, producerId: state.producerId, commits: commits) {
            return scheduleMarkers(transactionalId, isRetry: true)
        }
        let partitions = state.partitions
        state.phase = commits ? .completeCommit : .completeAbort
        state.partitions = []
        state.groups = []
        guard store(state) else { return scheduleMarkers(transactionalId, isRetry: true) }
        for item in partitions { cluster.partition(item.topic, item.partition)?.changed(bytes: 0) }
    }

    /// Aborts the transaction when its producer's time is over, after `leastMs` at the earliest.
    private func watchTimeout(_ state: TransactionState, leastMs: Int64 = 0) {
        let transactionalId = state.transactionalId
        let elapsedMs = max(0, cluster.wallMs - state.startMs)
        let dueMs = cluster.monotonicMs + max(leastMs, Int64(state.timeoutMs) - elapsedMs)
        timeouts.removeValue(forKey: transactionalId)?.cancel()
        timeouts[transactionalId] = cluster.timers.schedule(atMs: dueMs) { [weak self] in
            guard let self, let state = byId[transactionalId], state.phase == .ongoing else { return }
            do throws(GroupRefusal) {
                try fenceAndAbort(state)
            } catch {
                // The disk has refused the decision, and the gate has said why.
                watchTimeout(state, leastMs: Self.retryMs)
            }
        }
    }

    /// Takes over what the journal holds, and goes on where it stops.
    func restore(_ states: [TransactionState]) {
        for state in states {
            byId[state.transactionalId] = state
            if state.isDeciding { scheduleMarkers(state.transactionalId) }
            if state.phase == .ongoing { watchTimeout(state) }
        }
    }
}
