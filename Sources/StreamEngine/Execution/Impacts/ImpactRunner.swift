import Platform

/// One impact over the rows of one owner: the query, or one partition of a partition-local query.
///
/// Windows come in order of their number, each once. An event at t is settled by the first window that ends at or after
/// t + `after`: every window that its means are of was judged by then, and every such event is known, since a window waits
/// until the events' watermark has passed its end - `after`. So the rows depend on the two record streams alone.
final class ImpactRunner {
    let plan: ImpactPlan
    private let query: QueryPlan
    /// Shared by the runners of all owners.
    private let events: ContextEvents
    private var keys = DetectorKeys()
    /// The labels of each key.
    private var labels: [DetectorKey] = []
    private var histories: [ImpactHistory] = []
    /// Events up to this time are settled, ms.
    private var settledMs: Int64?
    /// The newest window judged.
    private(set) var lastWindow: Int64?
    /// Windows that wait for events.
    private var waiting: [EmittedWindow] = []
    /// Whether anything changed since the state was written last.
    var hasChanged = false
    /// A run that is repeated: how far events had been read for each window that did not wait for all of them.
    var recordedPositions: ((Int64) -> EventPositions?)?
    /// Bumped whenever key indices have changed: maps by them are then stale.
    private(set) var keyGeneration = 0

    init(_ plan: ImpactPlan, query: QueryPlan, events: ContextEvents) {
        self.plan = plan
        self.query = query
        self.events = events
    }

    /// The index of a key, new or known.
    func index(of key: GroupKey) -> UInt32 {
        let index = keys.index(of: key)
        if Int(index) == labels.count { adopt(Int(index)) }
        return index
    }

    private func adopt(_ index: Int) {
        labels.append(DetectorKey(labels: query.labels(of: keys.keys[index])))
        histories.append(ImpactHistory())
    }

    /// Takes a window, for `release` to judge.
    func take(_ window: EmittedWindow) {
        hasChanged = true
        waiting.append(window)
    }

    /// Judges the waiting windows whose events are here, or for which `maxWait` is over at `nowMs` (live only); tells by
    /// `onEarly`, with the window's end, of those for which more events could come. What windows up to `shownThrough` say
    /// was shown before.
    func release(
        nowMs: Int64?, shownThrough: Int64, onEarly: (Int64) -> Void, into rows: inout [ImpactRow]
    ) {
        while let first = waiting.first {
            let endMs = query.window.endMs(first.number)
            if !isReady(endMs) {
                guard let nowMs, EventTime.difference(nowMs, first.emittedAtMs) >= plan.events.maxWaitMs else { return }
            }
            if (events.settledMs ?? .min) <= EventTime.difference(endMs, plan.events.afterMs) { onEarly(endMs) }
            waiting.removeFirst()
            hasChanged = true
            let known = rows.count
            judge(first, into: &rows)
            if first.number <= shownThrough { rows.removeLast(rows.count - known) }
        }
    }

    /// Whether no event will come any more that a window ending at `endMs` settles.
    private func isReady(_ endMs: Int64) -> Bool {
        guard let watermarkMs = events.watermarkMs else { return false }
        return watermarkMs > EventTime.difference(endMs, plan.events.afterMs)
    }

    /// The oldest window start by which events are still looked for, ms; nil before the first window.
    var oldestNeededMs: Int64? { (lastWindow ?? waiting.first?.number).map { query.window.startMs($0) } }

    private func judge(_ window: EmittedWindow, into rows: inout [ImpactRow]) {
        if let lastWindow, window.number <= lastWindow { return }
        lastWindow = window.number
        let endMs = query.window.endMs(window.number)
        keys.admit(window.keys)
        for (row, key) in window.keys.enumerated() {
            keys.see(key, endMs: endMs)
            if window.present[row] { histories[Int(key)].append(window.number, window.values[row]) }
        }
        let throughMs = EventTime.difference(endMs, plan.events.afterMs)
        settle(throughMs, recordedPositions?(endMs), into: &rows)
        let horizonMs = EventTime.difference(throughMs, plan.events.beforeMs)
        for key in keys.order { histories[Int(key)].forget(throughStartMs: horizonMs, query.window) }
        forgetKeys()
    }

    /// The rows of the events after those settled by now, up to `throughMs`: by event, then by key.
    private func settle(_ throughMs: Int64, _ positions: EventPositions?, into rows: inout [ImpactRow]) {
        for (event, match) in events.events(after: settledMs, through: throughMs, positions: positions) {
            for key in keys.order where events.wanted(of: labels[Int(key)]) == match {
                let atMs = event.timestampMs
                let history = histories[Int(key)]
                let before = history.mean(
                    fromMs: EventTime.difference(atMs, plan.events.beforeMs), toMs: atMs, query.window)
                let after = history.mean(
                    fromMs: atMs, toMs: EventTime.difference(atMs, -plan.events.afterMs), query.window)
                guard before.count + after.count > 0 else { continue }
                rows.append(
                    ImpactRow(
                        query: query.name, impact: plan.name, event: event, labels: labels[Int(key)].labels,
                        column: plan.definition.column, before: before.mean, after: after.mean,
                        windowsBefore: before.count, windowsAfter: after.count))
            }
        }
        settledMs = max(throughMs, settledMs ?? .min)
    }

    /// Keys without a value in any window that still counts go, where they have become many.
    private func forgetKeys() {
        let empty = keys.order.count { histories[Int($0)].isEmpty }
        guard empty > 64, empty * 2 > keys.count else { return }
        let waitingFor = Set(waiting.flatMap(\.keys))
        let newIndex = keys.forget { histories[$0].isEmpty && !waitingFor.contains(UInt32($0)) }
        labels = zip(labels, newIndex).compactMap { $1 == .max ? nil : $0 }
        histories = zip(histories, newIndex).compactMap { $1 == .max ? nil : $0 }
        for place in waiting.indices { waiting[place].keys = waiting[place].keys.map { newIndex[Int($0)] } }
        keyGeneration += 1
    }

    // MARK: State

    var keyCount: Int { keys.count }

    /// Writes everything the next window needs.
    func encode(to writer: inout ByteWriter) {
        writer.write(plan.fingerprint(query.window))
        keys.encode(to: &writer)
        for history in histories { history.encode(to: &writer) }
        writer.writeOptional(settledMs)
        writer.writeOptional(lastWindow)
        writer.writeCount(waiting.count)
        for window in waiting { window.encode(to: &writer) }
    }

    /// Reads it back into a fresh runner; where the impact was changed since, it begins anew.
    func decode(from reader: inout ByteReader, nowMs: Int64) throws(DecodingFailure) {
        guard try reader.readString() == plan.fingerprint(query.window) else { return }
        keys = try DetectorKeys(from: &reader)
        for index in 0..<keys.count {
            adopt(index)
            histories[index] = try ImpactHistory(from: &reader, query.window)
        }
        settledMs = try reader.readOptional()
        lastWindow = try reader.readOptional()
        guard query.window.holds(window: lastWindow ?? 0) else {
            throw DecodingFailure("impact \(plan.name): its newest window lies outside of time")
        }
        for _ in 0..<(try reader.readCount(bytesEach: 9)) {
            waiting.append(try EmittedWindow(from: &reader, of: query.window, keyCount: keys.count, nowMs: nowMs))
        }
        guard reader.isAtEnd else { throw DecodingFailure("impact \(plan.name): \(reader.remaining) bytes too many") }
    }

    /// Bytes held.
    var byteCount: Int {
        histories.reduce(0) { $0 + $1.byteCount } + keys.count * AnomalyPlan.bytesPerKey
            + waiting.reduce(0) { $0 + $1.keys.count * 13 }
    }
}
