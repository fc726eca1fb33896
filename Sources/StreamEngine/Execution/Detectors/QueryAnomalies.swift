import Platform

/// Whose state a detector's is (SEMANTICS §5): it moves with its owner.
enum DetectorOwner: Hashable, Sendable {
    /// The whole query.
    case query
    /// One partition of a partition-local query.
    case partition(PartitionID)
}

/// Every detector of one query. Used by the coordinator, at emission.
final class QueryAnomalies {
    private let plan: QueryPlan
    private let job: String
    /// The events each detector asks, in the order of its `context`.
    let contexts: [[ContextEvents]]
    private var owners: [DetectorOwner: Owner] = [:]
    /// What was found since the last `takeRows`, for each detector in the plan's order.
    private var rows: [[AnomalyRow]]
    /// What `sharedState` wrote last.
    private var sharedBytes: [UInt8] = []
    /// Rows found since the start.
    private(set) var rowsOut = 0

    /// One owner's detectors.
    private struct Owner {
        let runners: [AnomalyRunner]
        /// The runners' own index of each key of the emitter; `UInt32.max`: not asked yet.
        var index: [[UInt32]]
    }

    /// nil where the query has no detectors.
    init?(plan: QueryPlan, job: String) {
        guard !plan.anomalies.isEmpty else { return nil }
        self.plan = plan
        self.job = job
        contexts = plan.anomalies.map { $0.contexts.map { ContextEvents($0) } }
        rows = plan.anomalies.map { _ in [] }
    }

    private func makeOwner() -> Owner {
        Owner(
            runners: zip(plan.anomalies, contexts).map {
                AnomalyRunner($0, query: plan, job: job, contexts: $1)
            }, index: plan.anomalies.map { _ in [] })
    }

    // MARK: Windows

    /// Takes the rows of one window, or those of one partition of it. `keys` are the emitter's indices into `directory`,
    /// row by row and in key order.
    func take(
        _ window: Int64, _ batch: RowBatch, keys: [UInt32], in directory: [GroupKey], owner id: DetectorOwner,
        nowMs: Int64
    ) {
        var owner = owners[id] ?? makeOwner()
        for (place, runner) in owner.runners.enumerated() {
            if owner.index[place].count < directory.count {
                owner.index[place].append(
                    contentsOf: repeatElement(.max, count: directory.count - owner.index[place].count))
            }
            let own = keys.map { key in
                let known = owner.index[place][Int(key)]
                if known != .max { return known }
                let index = runner.index(of: directory[Int(key)])
                owner.index[place][Int(key)] = index
                return index
            }
            let cells = cells(of: runner.plan, in: batch)
            let generation = runner.keyGeneration
            runner.take(
                EmittedWindow(
                    number: window, keys: own, values: cells.values, present: cells.present, emittedAtMs: nowMs),
                into: &rows[place])
            if runner.keyGeneration != generation { owner.index[place] = [] }
        }
        owners[id] = owner
    }

    /// The numbers a detector looks at; 1 where it looks at no column.
    private func cells(of plan: AnomalyPlan, in batch: RowBatch) -> (values: [Double], present: [Bool]) {
        let everywhere = [Bool](repeating: true, count: batch.rowCount)
        guard let slot = plan.column else { return ([Double](repeating: 1, count: batch.rowCount), everywhere) }
        let column = batch.columns[self.plan.resultSlots(in: batch.schema)[slot]]
        let present = column.valid ?? everywhere
        switch column.values {
        case .doubles(let values): return (values, present)
        case .integers(let values), .timestamps(let values): return (values.map { Double($0) }, present)
        case .booleans(let values): return (values.map { $0 ? 1 : 0 }, present)
        case .texts: preconditionFailure("the plan gives detectors columns of numbers only")
        }
    }

    /// The emitter's key indices have changed.
    func keysMoved() {
        for id in owners.keys { owners[id]?.index = plan.anomalies.map { _ in [] } }
    }

    /// Judges windows that waited for events which are here now. `nowMs` is the wall clock of a live run; `onTimeout` is told
    /// of verdicts that go without them: the detector, and the end of its window.
    func release(nowMs: Int64?, onTimeout: (AnomalyPlan, Int64) -> Void) {
        for id in owners.keys.sorted(by: Self.isBefore) {
            guard var owner = owners[id] else { continue }
            for (place, runner) in owner.runners.enumerated() {
                let generation = runner.keyGeneration
                runner.release(nowMs: nowMs, onTimeout: { onTimeout(runner.plan, $0) }, into: &rows[place])
                if runner.keyGeneration != generation { owner.index[place] = [] }
            }
            owners[id] = owner
        }
        // What an epoch that is given up has judged is judged again: a live run keeps its events for longer.
        forgetEvents(marginMs: nowMs == nil ? 0 : plan.keyTTLMs)
    }

    private static func isBefore(_ a: DetectorOwner, _ b: DetectorOwner) -> Bool {
        switch (a, b) {
        case (.partition(let a), .partition(let b)): a < b
        case (.query, .partition): true
        case (_, .query): false
        }
    }

    /// Events that bear on no window to come.
    private func forgetEvents(marginMs: Int64) {
        for (place, contexts) in contexts.enumerated() where !contexts.isEmpty && !owners.isEmpty {
            var needed = Int64.max
            for owner in owners.values {
                guard let own = owner.runners[place].oldestNeededMs else { return }
                needed = min(needed, own)
            }
            for context in contexts { context.forget(beforeWindowStartMs: EventTime.difference(needed, marginMs)) }
        }
    }

    /// What was found since the last call, for each detector.
    func takeRows() -> [[AnomalyRow]] {
        rowsOut += rows.reduce(0) { $0 + $1.count }
        defer { rows = plan.anomalies.map { _ in [] } }
        return rows
    }

    /// Forgets what was found since the last `takeRows`: it was found and written before.
    func discardRows() { rows = plan.anomalies.map { _ in [] } }

    /// The names of the broadcast sources that some verdict needs.
    var contextSources: Set<String> { Set(contexts.joined().map(\.plan.source)) }

    // MARK: State

    /// Whether an owner has state.
    func has(_ id: DetectorOwner) -> Bool { owners[id] != nil }

    /// One partition's detectors as a piece of its section: always whole, and only where they changed unless `always`.
    /// Sections of different partitions may be made on different threads: this changes what is that partition's alone.
    func block(of id: PartitionID, always: Bool) -> StateBlock? {
        guard always || hasChanged(.partition(id)) else { return nil }
        var writer = ByteWriter()
        encodeState(of: .partition(id), into: &writer)
        let rows = owners[.partition(id)]?.runners.reduce(0) { $0 + $1.keys.count } ?? 0
        return StateBlock(id: .detectors(query: plan.name, id), isWhole: true, bytes: writer.bytes, rows: rows)
    }

    /// The state of the query's own detectors; empty where it has none.
    func sharedState() -> [UInt8] {
        guard has(.query) else { return [] }
        if hasChanged(.query) || sharedBytes.isEmpty {
            var writer = ByteWriter()
            encodeState(of: .query, into: &writer)
            sharedBytes = writer.bytes
        }
        return sharedBytes
    }

    /// Whether an owner's state changed since it was written last.
    func hasChanged(_ id: DetectorOwner) -> Bool { owners[id]?.runners.contains { $0.hasChanged } ?? false }

    /// Writes an owner's whole state.
    func encodeState(of id: DetectorOwner, into writer: inout ByteWriter) {
        let runners = owners[id]?.runners ?? []
        writer.writeCount(runners.count)
        for runner in runners {
            var own = ByteWriter()
            runner.encode(to: &own)
            writer.write(runner.plan.name)
            writer.write(lengthPrefixed: own.bytes)
            runner.hasChanged = false
        }
    }

    /// Replaces an owner's state by what was written. Detectors that the job no longer has are left out, new ones begin
    /// empty. `nowMs` is the wall clock, for verdicts that wait.
    func decodeState(of id: DetectorOwner, from reader: inout ByteReader, nowMs: Int64) throws(DecodingFailure) {
        let owner = makeOwner()
        for _ in 0..<(try reader.readCount(bytesEach: 2)) {
            let name = try reader.readString()
            var own = ByteReader(try reader.readLengthPrefixed())
            guard let runner = owner.runners.first(where: { $0.plan.name == name }) else { continue }
            try runner.decode(from: &own, nowMs: nowMs)
        }
        owners[id] = owner
        sharedBytes = []
    }

    /// Forgets an owner's state: its partition was given back, or begins anew.
    func drop(_ id: DetectorOwner) {
        owners[id] = nil
        if id == .query { sharedBytes = [] }
        // What was found and not written belongs to an epoch that was given up.
        discardRows()
    }

    /// Bytes held by every owner.
    var stateBytes: Int { owners.values.reduce(0) { $0 + $1.runners.reduce(0) { $0 + $1.byteCount } } }
    /// Keys known, over all detectors.
    var keyCount: Int { owners.values.reduce(0) { $0 + $1.runners.reduce(0) { $0 + $1.keys.count } } }
}
