import Platform

/// One detector over the rows of one owner: the query, or one partition of a partition-local query.
///
/// Windows come in order of their number, each once. A window between two emitted ones that had no data at all counts as
/// one in which every key is missing (at most `gapWindowsMax` of a gap), so that what a key gets to see does not depend on
/// which other keys there are.
final class AnomalyRunner {
    let plan: AnomalyPlan
    /// Windows of a gap that are told as missing; what follows is skipped.
    static let gapWindowsMax: Int64 = 1024

    let query: QueryPlan
    let identity: IncidentIdentity
    private let rules: AlertRules
    /// Shared by the runners of all owners.
    private let contexts: [ContextEvents]
    var keys = DetectorKeys()
    /// The labels of each key.
    var labels: [DetectorKey] = []
    var detector: any Detector
    /// Windows with a value of each key, up to the end of its warm-up.
    var observed: [UInt32] = []
    var alerts: [AlertState] = []
    var groups: IncidentGroups?
    /// The newest window judged.
    var lastWindow: Int64?
    /// Windows whose verdict waits for events.
    var waiting: [EmittedWindow] = []
    /// Whether anything changed since the state was written last.
    var hasChanged = false
    private var verdicts: [DetectorVerdict] = []
    /// Whether the verdicts on the window at hand have asked for events.
    private var hasAskedEvents = false
    /// A run that is repeated: how far events had been read for the verdicts on the window at hand.
    private var positions: EventPositions?
    /// The same for every window whose verdict did not wait for all events, by the window's end; nil in a run of its own.
    var recordedPositions: ((Int64) -> EventPositions?)?
    /// No key is forgotten before this time, ms.
    private var nextForgetMs = Int64.min
    /// Bumped whenever key indices have changed: maps by them are then stale.
    private(set) var keyGeneration = 0

    init(_ plan: AnomalyPlan, query: QueryPlan, job: String, contexts: [ContextEvents]) {
        self.plan = plan
        self.query = query
        self.contexts = contexts
        let definition = plan.definition
        let isGrouped = !definition.groupInto.isEmpty
        identity = IncidentIdentity(job: job, query: query.name, detector: definition.name)
        // The cooldown of a group is the incident's, not that of one of its keys.
        rules = AlertRules(
            forMs: definition.forMs, keepFiringForMs: definition.keepFiringForMs,
            cooldownMs: isGrouped ? 0 : definition.cooldownMs)
        detector = plan.factory.make(definition.detector, plan.setting)
        groups = isGrouped ? IncidentGroups(definition.groupInto) : nil
    }

    /// The index of a key, new or known.
    func index(of key: GroupKey) -> UInt32 {
        let index = keys.index(of: key)
        if Int(index) == labels.count { adopt(Int(index)) }
        return index
    }

    /// Makes room for the newest key.
    func adopt(_ index: Int) {
        let key = DetectorKey(labels: query.labels(of: keys.keys[index]))
        labels.append(key)
        observed.append(0)
        alerts.append(AlertState())
        detector.addKeys([key])
        groups?.addKey(key)
    }

    // MARK: Windows

    /// Takes a window; judged at once, or when the events it depends on are here (`release`).
    func take(_ window: EmittedWindow, into rows: inout [AnomalyRow]) {
        hasChanged = true
        if contexts.isEmpty {
            judge(window, into: &rows)
        } else {
            waiting.append(window)
        }
    }

    /// Judges the waiting windows whose events are here, or for which `maxWait` is over at `nowMs` (live only). Tells by
    /// `onEarly`, with the window's end, of verdicts that asked for events when more could come. What windows up to
    /// `shownThrough` say was shown before.
    func release(
        nowMs: Int64?, shownThrough: Int64, onEarly: (Int64) -> Void, into rows: inout [AnomalyRow]
    ) {
        while let first = waiting.first {
            let endMs = query.window.endMs(first.number)
            if !contexts.allSatisfy({ $0.isReady(forWindowEndMs: endMs) }) {
                guard let nowMs, contexts.allSatisfy({ isOverdue(first, $0, endMs: endMs, nowMs: nowMs) }) else {
                    return
                }
            }
            waiting.removeFirst()
            hasChanged = true
            hasAskedEvents = false
            positions = recordedPositions?(endMs)
            let known = rows.count
            judge(first, into: &rows)
            if first.number <= shownThrough { rows.removeLast(rows.count - known) }
            if hasAskedEvents, !contexts.allSatisfy({ $0.isSettled(forWindowEndMs: endMs) }) { onEarly(endMs) }
        }
    }

    private func isOverdue(_ window: EmittedWindow, _ context: ContextEvents, endMs: Int64, nowMs: Int64) -> Bool {
        context.isReady(forWindowEndMs: endMs)
            || EventTime.difference(nowMs, window.emittedAtMs) >= context.plan.maxWaitMs
    }

    /// The oldest window start that may still be judged, ms; nil before the first window.
    var oldestNeededMs: Int64? {
        (waiting.first.map(\.number) ?? lastWindow).map { query.window.startMs($0) }
    }

    private func judge(_ window: EmittedWindow, into rows: inout [AnomalyRow]) {
        var window = window
        if let lastWindow {
            guard window.number > lastWindow else { return }
            var gap = lastWindow + 1
            let gapEnd = min(window.number, gap + Self.gapWindowsMax)
            if gap < gapEnd {
                // Keys may be forgotten in the gap: as one that waits the window has its own put right.
                waiting.insert(window, at: 0)
                while gap < gapEnd, !keys.order.isEmpty {
                    tick(gap, nil, into: &rows)
                    gap += 1
                }
                window = waiting.removeFirst()
            }
        }
        lastWindow = window.number
        keys.admit(window.keys)
        tick(window.number, window, into: &rows)
    }

    /// One tick of every known key.
    private func tick(_ number: Int64, _ window: EmittedWindow?, into rows: inout [AnomalyRow]) {
        let endMs = query.window.endMs(number)
        let (ticks, isRow) = ticks(number, window)
        verdicts.removeAll(keepingCapacity: true)
        verdicts.append(contentsOf: repeatElement(DetectorVerdict(), count: ticks.keys.count))
        detector.judge(ticks, into: &verdicts)
        let emitsAll = plan.definition.emit == .all
        for row in ticks.keys.indices {
            let key = Int(ticks.keys[row])
            settle(row, key: key, isPresent: ticks.present[row])
            // Nearly every row of nearly every job ends here.
            if !verdicts[row].isFlagged, alerts[key].phase == .normal, !(emitsAll && isRow[row]) { continue }
            take(row, ticks, isRow: isRow[row], into: &rows)
        }
        let gone = expire(ticks, endMs: endMs, into: &rows)
        finishGroups(ticks, into: &rows)
        if gone { forget(endMs: endMs) }
    }

    private func ticks(_ number: Int64, _ window: EmittedWindow?) -> (DetectorTicks, isRow: [Bool]) {
        let order = keys.order
        var values = [Double](repeating: 0, count: order.count)
        var present = [Bool](repeating: false, count: order.count)
        var isRow = present
        if let window {
            let endMs = query.window.endMs(number)
            var next = 0
            for (place, key) in order.enumerated() where next < window.keys.count && window.keys[next] == key {
                values[place] = window.present[next] ? window.values[next] : 0
                present[place] = window.present[next]
                isRow[place] = true
                keys.see(key, endMs: endMs)
                next += 1
            }
            // `judge` has just let in what was not known, and keeps a waiting window's keys right where others are forgotten.
            precondition(next == window.keys.count, "rows stand in key order and every key of them is known")
        }
        let ticks = DetectorTicks(
            windowStartMs: query.window.startMs(number), windowEndMs: query.window.endMs(number), keys: order,
            values: values, present: present)
        return (ticks, isRow)
    }

    /// Holds a verdict to its contract and to the warm-up.
    private func settle(_ row: Int, key: Int, isPresent: Bool) {
        if isPresent, observed[key] <= plan.warmup { observed[key] += 1 }
        let score = verdicts[row].score
        verdicts[row].score = score >= 0 ? min(score, 1) : 0
        if isLearning(key) { verdicts[row].isFlagged = false }
    }

    private func isLearning(_ key: Int) -> Bool { observed[key] <= plan.warmup && plan.warmup > 0 }

    /// Takes one verdict that may change or show something.
    private func take(_ row: Int, _ ticks: DetectorTicks, isRow: Bool, into rows: inout [AnomalyRow]) {
        let key = Int(ticks.keys[row])
        var finding: ContextFinding?
        if !contexts.isEmpty, verdicts[row].isFlagged || alerts[key].phase != .normal {
            finding = self.finding(key, ticks)
        }
        let isFlagged = verdicts[row].isFlagged && !(finding?.isSuppressed ?? false)
        let signal: AlertState.Signal =
            isFlagged ? .flagged : !isRow && plan.definition.missing == .hold ? .silent : .clear
        let before = alerts[key]
        let change = alerts[key].step(signal, endMs: ticks.windowEndMs, rules)
        if change == .fires { alerts[key].severityShift = finding?.severityShift ?? 0 }
        note(row, key, ticks, before: before.phase)
        switch plan.definition.emit {
        case .transitions:
            guard let change, groups == nil else { return }
            rows.append(
                transition(
                    row, ticks, change, startedAtMs: before.phase == .normal ? nil : before.activeSinceMs, finding))
        case .flags where isFlagged, .all where isFlagged || isRow:
            rows.append(verdictRow(row, ticks, isFlagged: isFlagged, finding))
        case .flags, .all: break
        }
    }

    private func finding(_ key: Int, _ ticks: DetectorTicks) -> ContextFinding {
        hasAskedEvents = true
        return ContextFinding(
            contexts, key: labels[key], startMs: ticks.windowStartMs, endMs: ticks.windowEndMs, positions: positions)
    }

    private func note(_ row: Int, _ key: Int, _ ticks: DetectorTicks, before: AlertState.Phase) {
        guard before != .normal || alerts[key].phase != .normal else { return }
        groups?.note(key: UInt32(key), row: row, before: before, after: alerts[key], endMs: ticks.windowEndMs) { a, b in
            let first = (alerts[Int(ticks.keys[a])].phase.rawValue, verdicts[a].score)
            let second = (alerts[Int(ticks.keys[b])].phase.rawValue, verdicts[b].score)
            return first > second
        }
    }

    private func finishGroups(_ ticks: DetectorTicks, into rows: inout [AnomalyRow]) {
        guard groups != nil else { return }
        let changes = groups?.finish(endMs: ticks.windowEndMs, cooldownMs: plan.definition.cooldownMs) ?? []
        for change in changes {
            let finding = contexts.isEmpty ? nil : self.finding(Int(ticks.keys[change.row]), ticks)
            if change.change == .fires {
                groups?.setSeverityShift(finding?.severityShift ?? 0, group: change.group)
            }
            guard plan.definition.emit == .transitions else { continue }
            rows.append(transition(change.row, ticks, change.change, startedAtMs: change.startedAtMs, finding))
        }
    }

    // MARK: Forgetting

    /// Ends the incidents of keys unseen for `keyTTL`; says whether there are such keys.
    private func expire(_ ticks: DetectorTicks, endMs: Int64, into rows: inout [AnomalyRow]) -> Bool {
        guard endMs >= nextForgetMs else { return false }
        var gone = false
        var oldest = endMs
        for row in ticks.keys.indices {
            let key = Int(ticks.keys[row])
            guard isExpired(key, endMs) else {
                oldest = min(oldest, keys.lastSeenMs[key])
                continue
            }
            gone = true
            let before = alerts[key]
            guard before.phase != .normal else { continue }
            alerts[key].resolve(endMs)
            note(row, key, ticks, before: before.phase)
            if before.phase == .firing, groups == nil, plan.definition.emit == .transitions {
                rows.append(transition(row, ticks, .resolves, startedAtMs: before.activeSinceMs, nil))
            }
        }
        nextForgetMs = EventTime.difference(oldest, -query.keyTTLMs)
        return gone
    }

    private func isExpired(_ key: Int, _ endMs: Int64) -> Bool {
        let seenMs = keys.lastSeenMs[key]
        return seenMs != .min && EventTime.difference(endMs, seenMs) >= query.keyTTLMs
    }

    private func forget(endMs: Int64) {
        let old = keys.keys
        let gone = old.indices.map { isExpired($0, endMs) }
        let newIndex = keys.forget { gone[$0] }
        labels = compacted(labels, newIndex)
        observed = compacted(observed, newIndex)
        alerts = compacted(alerts, newIndex)
        detector.forget(newIndex)
        groups?.forget(newIndex)
        // A window that waits may bring a key again that is forgotten now: it then begins anew.
        for place in waiting.indices {
            waiting[place].keys = waiting[place].keys.map {
                newIndex[Int($0)] == .max ? index(of: old[Int($0)]) : newIndex[Int($0)]
            }
        }
        keyGeneration += 1
    }

    private func compacted<Element>(_ all: [Element], _ newIndex: [UInt32]) -> [Element] {
        zip(all, newIndex).compactMap { $1 == .max ? nil : $0 }
    }

    // MARK: Rows

    /// The row of an incident's beginning or end; `startedAtMs` is nil where the alert's own state tells.
    private func transition(
        _ row: Int, _ ticks: DetectorTicks, _ change: AlertState.Change, startedAtMs: Int64?, _ finding: ContextFinding?
    ) -> AnomalyRow {
        let key = Int(ticks.keys[row])
        let group = groups.map { $0.groups[$0.groupOfKey[key]] }
        let startedAtMs = startedAtMs ?? alerts[key].activeSinceMs
        let shift = group?.severityShift ?? alerts[key].severityShift
        let severity = Severity.moved(plan.definition.severity, by: shift)
        var reason: String
        switch change {
        case .fires:
            reason = detector.reason(row, ticks, verdicts[row])
            if rules.forMs > 0 { reason += ", for \(DurationText.compact(ticks.windowEndMs - startedAtMs))" }
            if let group, group.firing > 1 { reason += " (the worst of \(group.firing) keys)" }
            reason += finding?.suffix(severity: plan.definition.severity, moved: severity) ?? ""
        case .resolves:
            reason = resolution(row, ticks, key: key, startedAtMs: startedAtMs)
            if let finding, finding.isSuppressed {
                reason += finding.suffix(severity: plan.definition.severity, moved: severity)
            }
        }
        return makeRow(
            row, ticks, state: change == .fires ? .firing : .resolved, severity: severity, reason: reason,
            startedAtMs: startedAtMs, finding)
    }

    private func resolution(_ row: Int, _ ticks: DetectorTicks, key: Int, startedAtMs: Int64) -> String {
        let after = DurationText.compact(max(0, EventTime.difference(ticks.windowEndMs, startedAtMs)))
        if isExpired(key, ticks.windowEndMs) {
            return "no row for \(DurationText.compact(query.keyTTLMs)): forgotten, \(after) after it began"
        }
        guard ticks.present[row] else { return "no row any more, \(after) after it began" }
        guard let column = plan.definition.column else { return "as it should be again after \(after)" }
        return "\(column) \(ReasonText.number(ticks.values[row])) is as it should be again after \(after)"
    }

    private func verdictRow(
        _ row: Int, _ ticks: DetectorTicks, isFlagged: Bool, _ finding: ContextFinding?
    ) -> AnomalyRow {
        let key = Int(ticks.keys[row])
        let severity = Severity.moved(plan.definition.severity, by: finding?.severityShift ?? 0)
        var startedAtMs: Int64?
        var reason: String
        if verdicts[row].isFlagged {
            reason = detector.reason(row, ticks, verdicts[row])
            reason += finding?.suffix(severity: plan.definition.severity, moved: severity) ?? ""
        } else if isLearning(key) {
            reason = "learning: \(observed[key]) of \(plan.warmup) windows"
        } else {
            let value = ticks.present[row] ? ReasonText.number(ticks.values[row]) : "without a value"
            reason = plan.definition.column.map { "\($0) \(value) is as it should be" } ?? "as it should be"
        }
        if isFlagged {
            startedAtMs = groups.map { $0.groups[$0.groupOfKey[key]].startedAtMs } ?? alerts[key].activeSinceMs
        }
        return makeRow(
            row, ticks, state: isFlagged ? .flagged : .normal, severity: severity, reason: reason,
            startedAtMs: startedAtMs, finding)
    }

    private func makeRow(
        _ row: Int, _ ticks: DetectorTicks, state: AnomalyRow.State, severity: String, reason: String,
        startedAtMs: Int64?, _ finding: ContextFinding?
    ) -> AnomalyRow {
        let key = Int(ticks.keys[row])
        let group = groups.map { $0.groups[$0.groupOfKey[key]].labels }
        // An incident of many keys carries what they share; a verdict is that of its own key.
        let own = state == .firing || state == .resolved ? group ?? labels[key] : labels[key]
        let verdict = verdicts[row]
        func bound(_ value: Double) -> Double? { value.isFinite ? value : nil }
        let definition = plan.definition
        return AnomalyRow(
            query: query.name, detector: definition.name, type: definition.detectorType,
            windowStartMs: ticks.windowStartMs, windowEndMs: ticks.windowEndMs, labels: merged(own),
            column: definition.column, value: ticks.present[row] && plan.column != nil ? ticks.values[row] : nil,
            expected: bound(verdict.expected), lower: bound(verdict.lower), upper: bound(verdict.upper),
            score: verdict.score, state: state, severity: severity, reason: reason, startedAtMs: startedAtMs,
            incidentID: startedAtMs.map { identity.id(of: group ?? labels[key], startedAtMs: $0) },
            context: finding?.events ?? [], annotations: plan.annotations, key: (group ?? labels[key]).labels)
    }

    /// A key's labels and the job's own, which win.
    private func merged(_ key: DetectorKey) -> [Label] {
        let own = plan.labels
        return key.labels.filter { label in !own.contains { $0.name == label.name } } + own
    }
}

extension QueryPlan {
    /// A key's columns that have a value, by their names in rows; numbers as text.
    func labels(of key: GroupKey) -> [Label] {
        var names: [ByteString] = []
        if case .by(let columns) = grouping { names = columns.map { ByteString($0.name) } }
        return key.cells.enumerated().compactMap { place, cell in
            switch cell {
            case .missing: nil
            case .text(let text): place < names.count ? Label(names[place], text) : nil
            case .label(let label): label
            case .number(let bits):
                place < names.count ? Label(names[place], ByteString(Self.text(Double(bitPattern: bits)))) : nil
            }
        }
    }

    private static func text(_ number: Double) -> String { Int64(exactly: number).map { "\($0)" } ?? "\(number)" }
}
