import Platform

/// Whose state a detector's is (SEMANTICS §5): it moves with its owner.
enum DetectorOwner: Hashable, Sendable {
    /// The whole query.
    case query
    /// One partition of a partition-local query.
    case partition(PartitionID)
}

extension QueryPlan {
    /// Whose state the detectors on a partition's rows keep.
    func detectorOwner(of id: PartitionID) -> DetectorOwner { isPartitionLocal ? .partition(id) : .query }
}

/// Every detector and every impact of one query. Used by the coordinator, at emission.
final class QueryAnomalies {
    private let plan: QueryPlan
    private let job: String
    /// The events each detector asks, in the order of its `context`.
    let contexts: [[ContextEvents]]
    /// The events each impact asks.
    let impactEvents: [ContextEvents]
    private var owners: [DetectorOwner: Owner] = [:]
    /// How far, by `QUERY/NAME`, verdicts that wait for events were shown when the committed offsets were.
    private var shown: [DetectorOwner: [String: Int64]] = [:]
    /// What was found since the last `takeRows`, for each detector in the plan's order.
    private var rows: [[AnomalyRow]]
    private var impactRows: [[ImpactRow]]
    /// What `sharedState` wrote last.
    private var sharedBytes: [UInt8] = []
    /// Rows found since the start.
    private(set) var rowsOut = 0
    private(set) var impactRowsOut = 0

    /// One owner's detectors and impacts.
    private struct Owner {
        let runners: [AnomalyRunner]
        let impacts: [ImpactRunner]
        /// The own index that each runner, then each impact, has of each key of the emitter; `UInt32.max`: not asked yet.
        var index: [[UInt32]]

        /// The indices by which a follower knows keys of the emitter.
        mutating func indices(
            _ place: Int, of keys: [UInt32], in directory: borrowing KeyDirectory, _ ask: (GroupKey) -> UInt32
        ) -> [UInt32] {
            if index[place].count < directory.count {
                index[place].append(contentsOf: repeatElement(.max, count: directory.count - index[place].count))
            }
            var own: [UInt32] = []
            own.reserveCapacity(keys.count)
            for key in keys {
                if index[place][Int(key)] == .max { index[place][Int(key)] = ask(directory.key(key)) }
                own.append(index[place][Int(key)])
            }
            return own
        }
    }

    /// nil where the query has neither detectors nor impacts.
    init?(plan: QueryPlan, job: String) {
        guard !plan.anomalies.isEmpty || !plan.impacts.isEmpty else { return nil }
        self.plan = plan
        self.job = job
        contexts = plan.anomalies.map { $0.contexts.map { ContextEvents($0) } }
        impactEvents = plan.impacts.map { ContextEvents($0.events) }
        rows = plan.anomalies.map { _ in [] }
        impactRows = plan.impacts.map { _ in [] }
    }

    /// A run that is repeated: how far events had been read for a verdict of this detector (or impact, with its prefix) of this
    /// owner on the window ending there; nil where it had all it asked for.
    var recordedPositions: ((_ name: String, DetectorOwner, _ windowEndMs: Int64) -> EventPositions?)?

    private func makeOwner(_ id: DetectorOwner) -> Owner {
        func recorded(_ name: String) -> ((Int64) -> EventPositions?)? {
            guard let recordedPositions else { return nil }
            return { recordedPositions(name, id, $0) }
        }
        let runners = zip(plan.anomalies, contexts).map { detector, contexts in
            let runner = AnomalyRunner(detector, query: plan, job: job, contexts: contexts)
            runner.recordedPositions = recorded(detector.name)
            return runner
        }
        let impacts = zip(plan.impacts, impactEvents).map { impact, events in
            let runner = ImpactRunner(impact, query: plan, events: events)
            runner.recordedPositions = recorded(Self.impactPrefix + impact.name)
            return runner
        }
        return Owner(runners: runners, impacts: impacts, index: noIndices)
    }

    private var noIndices: [[UInt32]] { Array(repeating: [], count: plan.anomalies.count + plan.impacts.count) }

    // MARK: Windows

    /// Takes the rows of one window, or those of one partition of it. `keys` are the emitter's indices into `directory`,
    /// row by row and in key order.
    func take(
        _ window: Int64, _ batch: RowBatch, keys: [UInt32], in directory: borrowing KeyDirectory,
        owner id: DetectorOwner,
        nowMs: Int64
    ) {
        var owner = owners[id] ?? makeOwner(id)
        for (place, runner) in owner.runners.enumerated() {
            let own = owner.indices(place, of: keys, in: directory) { runner.index(of: $0) }
            let cells = cells(at: runner.plan.column, in: batch)
            let generation = runner.keyGeneration
            runner.take(
                EmittedWindow(
                    number: window, keys: own, values: cells.values, present: cells.present, emittedAtMs: nowMs),
                into: &rows[place])
            if runner.keyGeneration != generation { owner.index[place] = [] }
        }
        for (place, impact) in owner.impacts.enumerated() {
            let own = owner.indices(plan.anomalies.count + place, of: keys, in: directory) { impact.index(of: $0) }
            let cells = cells(at: impact.plan.column, in: batch)
            impact.take(
                EmittedWindow(
                    number: window, keys: own, values: cells.values, present: cells.present, emittedAtMs: nowMs))
        }
        owners[id] = owner
    }

    /// The numbers of a column of the plan's schema; 1 where none is looked at.
    private func cells(at slot: Int?, in batch: RowBatch) -> (values: [Double], present: [Bool]) {
        let everywhere = [Bool](repeating: true, count: batch.rowCount)
        guard let slot else { return ([Double](repeating: 1, count: batch.rowCount), everywhere) }
        let column = batch.columns[plan.resultSlots(in: batch.schema)[slot]]
        let present = column.valid ?? everywhere
        switch column.values {
        case .doubles(let values): return (values, present)
        case .integers(let values), .timestamps(let values): return (values.map { Double($0) }, present)
        case .booleans(let values): return (values.map { $0 ? 1 : 0 }, present)
        // `AnomalyCompiler.isNumeric`.
        case .texts: preconditionFailure("the plan gives detectors columns of numbers only")
        }
    }

    /// The emitter's key indices have changed.
    func keysMoved() {
        for id in owners.keys { owners[id]?.index = noIndices }
    }

    /// Judges windows that waited for events which are here now. `nowMs` is the wall clock of a live run; `onEarly` is told of
    /// verdicts for which more events could come: whose, the name of the detector (or impact, with its prefix), the end
    /// of its window, and how far events have been read.
    func release(nowMs: Int64?, onEarly: (DetectorOwner, String, Int64, EventPositions) -> Void) {
        for id in owners.keys.sorted(by: Self.isBefore) {
            guard var owner = owners[id] else { continue }
            for (place, runner) in owner.runners.enumerated() {
                let generation = runner.keyGeneration
                runner.release(
                    nowMs: nowMs, shownThrough: shown[id]?[label(runner.plan.name)] ?? .min,
                    onEarly: { onEarly(id, runner.plan.name, $0, positions(contexts[place])) }, into: &rows[place])
                if runner.keyGeneration != generation { owner.index[place] = [] }
            }
            for (place, impact) in owner.impacts.enumerated() {
                let generation = impact.keyGeneration
                impact.release(
                    nowMs: nowMs, shownThrough: shown[id]?[label(impact.plan.name)] ?? .min,
                    onEarly: {
                        onEarly(id, Self.impactPrefix + impact.plan.name, $0, positions([impactEvents[place]]))
                    },
                    into: &impactRows[place])
                if impact.keyGeneration != generation { owner.index[plan.anomalies.count + place] = [] }
            }
            owners[id] = owner
        }
        // What an epoch that is given up has judged is judged again: a live run keeps its events until it is decided.
        if nowMs == nil { forgetEvents(marginMs: 0) }
    }

    private static func isBefore(_ a: DetectorOwner, _ b: DetectorOwner) -> Bool {
        switch (a, b) {
        case (.partition(let a), .partition(let b)): a < b
        case (.query, .partition): true
        case (_, .query): false
        }
    }

    /// The states are decided: no epoch goes back behind them, unless they are lost.
    func noteDecided() { forgetEvents(marginMs: plan.keyTTLMs) }

    /// Events that bear on no window to come.
    private func forgetEvents(marginMs: Int64) {
        guard !owners.isEmpty else { return }
        for (place, contexts) in contexts.enumerated() where !contexts.isEmpty {
            forget(contexts, owners.values.map { $0.runners[place].oldestNeededMs }, marginMs)
        }
        for (place, events) in impactEvents.enumerated() {
            forget([events], owners.values.map { $0.impacts[place].oldestNeededMs }, marginMs)
        }
    }

    private func forget(_ events: [ContextEvents], _ needed: [Int64?], _ marginMs: Int64) {
        // An owner that has seen no window may need them all.
        let known = needed.compactMap(\.self)
        guard known.count == needed.count, let oldest = known.min() else { return }
        for context in events { context.forget(beforeWindowStartMs: EventTime.difference(oldest, marginMs)) }
    }

    /// What was found since the last call, for each detector.
    func takeRows() -> [[AnomalyRow]] {
        rowsOut += rows.reduce(0) { $0 + $1.count }
        defer { rows = plan.anomalies.map { _ in [] } }
        return rows
    }

    /// What events did, found since the last call, for each impact.
    func takeImpacts() -> [[ImpactRow]] {
        impactRowsOut += impactRows.reduce(0) { $0 + $1.count }
        defer { impactRows = plan.impacts.map { _ in [] } }
        return impactRows
    }

    /// Forgets what was found since the last `takeRows` and `takeImpacts`: it was found and written before.
    func discardRows() {
        rows = plan.anomalies.map { _ in [] }
        impactRows = plan.impacts.map { _ in [] }
    }

    /// Where the events of every detector and impact are gathered.
    var everyContext: [ContextEvents] { contexts.joined() + impactEvents }

    /// How far the events have been read.
    private func positions(_ contexts: [ContextEvents]) -> EventPositions {
        contexts.reduce(into: [:]) { $0.merge($1.positions) { first, _ in first } }
    }

    // MARK: What was shown

    private func label(_ name: String) -> String { "\(plan.name)/\(name)" }

    /// The newest window judged by each detector and impact that waits for events.
    func shown(to id: DetectorOwner) -> [String: Int64] {
        var newest = shown[id] ?? [:]
        for runner in owners[id]?.runners ?? [] where !runner.plan.contexts.isEmpty {
            if let last = runner.lastWindow {
                newest[label(runner.plan.name)] = max(last, newest[label(runner.plan.name)] ?? last)
            }
        }
        for impact in owners[id]?.impacts ?? [] {
            if let last = impact.lastWindow {
                newest[label(impact.plan.name)] = max(last, newest[label(impact.plan.name)] ?? last)
            }
        }
        return newest
    }

    /// Verdicts up to these windows were shown. A state that lacks them, because a newer one was lost, judges them again and
    /// shows nothing.
    func noteShown(_ windows: [String: Int64], to id: DetectorOwner) {
        let own = windows.filter { $0.key.hasPrefix("\(plan.name)/") }
        guard !own.isEmpty else { return }
        shown[id, default: [:]].merge(own) { max($0, $1) }
    }

    // MARK: State

    /// Whether an owner has state.
    func has(_ id: DetectorOwner) -> Bool { owners[id] != nil }

    /// One partition's detectors as a piece of its section: always whole, and only where they changed unless `always`.
    /// Sections of different partitions may be made on different threads: this changes what is that partition's alone.
    func block(of id: PartitionID, always: Bool) -> StateBlock? {
        guard always || hasChanged(.partition(id)) else { return nil }
        var writer = ByteWriter()
        encodeState(of: .partition(id), into: &writer)
        let rows = owners[.partition(id)].map { Self.keyCount(of: $0) } ?? 0
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
    func hasChanged(_ id: DetectorOwner) -> Bool {
        guard let owner = owners[id] else { return false }
        return owner.runners.contains { $0.hasChanged } || owner.impacts.contains { $0.hasChanged }
    }

    /// Writes an owner's whole state.
    func encodeState(of id: DetectorOwner, into writer: inout ByteWriter) {
        let runners = owners[id]?.runners ?? []
        let impacts = owners[id]?.impacts ?? []
        writer.writeCount(runners.count + impacts.count)
        for impact in impacts {
            var own = ByteWriter()
            impact.encode(to: &own)
            writer.write(Self.impactPrefix + impact.plan.name)
            writer.write(lengthPrefixed: own.bytes)
            impact.hasChanged = false
        }
        for runner in runners {
            var own = ByteWriter()
            runner.encode(to: &own)
            writer.write(runner.plan.name)
            writer.write(lengthPrefixed: own.bytes)
            runner.hasChanged = false
        }
    }

    /// Before the names of impacts in state and decisions; no detector's name has a slash.
    private static let impactPrefix = "impact/"

    /// Replaces an owner's state by what was written. Detectors and impacts that the job no longer has are left out, new ones begin
    /// empty. `nowMs` is the wall clock, for verdicts that wait.
    func decodeState(of id: DetectorOwner, from reader: inout ByteReader, nowMs: Int64) throws(DecodingFailure) {
        let owner = makeOwner(id)
        for _ in 0..<(try reader.readCount(bytesEach: 2)) {
            let name = try reader.readString()
            var own = ByteReader(try reader.readLengthPrefixed())
            if name.hasPrefix(Self.impactPrefix) {
                let impact = owner.impacts.first { $0.plan.name == name.dropFirst(Self.impactPrefix.count) }
                try impact?.decode(from: &own, nowMs: nowMs)
            } else if let runner = owner.runners.first(where: { $0.plan.name == name }) {
                try runner.decode(from: &own, nowMs: nowMs)
            }
        }
        owners[id] = owner
        sharedBytes = []
    }

    /// Forgets an owner's state: its partition was given back, or begins anew.
    func drop(_ id: DetectorOwner) {
        owners[id] = nil
        shown[id] = nil
        if id == .query { sharedBytes = [] }
        // What was found and not written belongs to an epoch that was given up.
        discardRows()
    }

    /// Bytes held by every owner.
    var stateBytes: Int {
        owners.values.reduce(0) { total, owner in
            total + owner.runners.reduce(0) { $0 + $1.byteCount } + owner.impacts.reduce(0) { $0 + $1.byteCount }
        }
    }
    /// Keys known, over all detectors and impacts.
    var keyCount: Int { owners.values.reduce(0) { $0 + Self.keyCount(of: $1) } }

    private static func keyCount(of owner: Owner) -> Int {
        owner.runners.reduce(0) { $0 + $1.keys.count } + owner.impacts.reduce(0) { $0 + $1.keyCount }
    }
}
