import Platform

/// An event of a broadcast source as it was decoded.
struct BroadcastEvent {
    let timestampMs: Int64
    /// Labels, and the columns `type`, `reason`, `severity`, `object` among them.
    let series: SeriesLabels
    let message: ByteString
    /// The partition it came in: orders events of one time.
    let partition: PartitionID
    /// The offset of its record.
    let offset: Int64

    /// Whether it had been read when partitions had been read so far; nil: all were.
    func isRead(at positions: EventPositions?) -> Bool {
        guard let positions else { return true }
        return offset < positions[partition] ?? .min
    }
}

/// How far the partitions of broadcast sources were read when a verdict was given: their next offsets.
typealias EventPositions = [PartitionID: Int64]

/// The events that bear on one detector by one entry of its `context`, in order of time. Filled and asked by the
/// coordinator.
final class ContextEvents {
    let plan: ContextPlan
    private let row: RowContext
    private var events: [Kept] = []
    /// Whether events came since they were last put in order.
    private var isSorted = true
    /// No event before this is waited for any more, ms; `Int64.max` at the end of input or while all partitions are idle,
    /// nil before the first.
    var watermarkMs: Int64?
    /// No event before this can count any more, by what each partition has said, ms: `watermarkMs` without the clock's part.
    var settledMs: Int64?
    /// How far each partition of the source has been read.
    var positions: EventPositions = [:]

    private struct Kept {
        let event: BroadcastEvent
        /// The values that must equal the row's, in the order of `plan.match`.
        let match: [ByteString]
        /// In the order in which its partition was read.
        let place: Int
    }

    private var taken = 0

    init(_ plan: ContextPlan) {
        self.plan = plan
        row = RowContext(eventLabels: plan.labelSlots)
    }

    /// Takes an event if it is one that counts. Events of one partition come in record order.
    func take(_ event: BroadcastEvent) {
        let view = EventView(event: event, context: row)
        if let filter = plan.filter, !filter.isTrue(view) { return }
        let match = plan.match.map { pair -> ByteString in
            if case .text(let text) = pair.column.value(view) { text } else { .empty }
        }
        taken += 1
        events.append(Kept(event: event, match: match, place: taken))
        isSorted = false
    }

    /// Whether every event that can bear on a window ending at `endMs` is here.
    func isReady(forWindowEndMs endMs: Int64) -> Bool {
        guard let watermarkMs else { return false }
        return watermarkMs >= EventTime.difference(endMs, -plan.beforeMs)
    }

    /// Whether no event that comes later can bear on a window ending at `endMs`.
    func isSettled(forWindowEndMs endMs: Int64) -> Bool {
        guard let settledMs else { return false }
        return settledMs >= EventTime.difference(endMs, -plan.beforeMs)
    }

    /// The events that bear on a key in `[startMs, endMs)`, oldest first; the newest `limit` of them. With `positions` only
    /// those that had been read there.
    func matching(
        _ key: DetectorKey, startMs: Int64, endMs: Int64, limit: Int, positions: EventPositions?
    ) -> [AnomalyEvent] {
        sort()
        let from = EventTime.difference(startMs, plan.afterMs)
        let to = EventTime.difference(endMs, -plan.beforeMs)
        let wanted = wanted(of: key)
        var found: [AnomalyEvent] = []
        var place = firstIndex(atOrAfter: to)
        while place > 0, found.count < limit {
            place -= 1
            let kept = events[place]
            guard kept.event.timestampMs >= from else { break }
            if kept.match == wanted, kept.event.isRead(at: positions) { found.append(described(kept.event)) }
        }
        return found.reversed()
    }

    /// The events after a time (nil: all there are) up to another, oldest first, each with what a key must show to be meant.
    /// With `positions` only those that had been read there.
    func events(
        after fromMs: Int64?, through toMs: Int64, positions: EventPositions?
    ) -> [(event: AnomalyEvent, match: [ByteString])] {
        sort()
        let first = fromMs.map { firstIndex(atOrAfter: EventTime.difference($0, -1)) } ?? 0
        let end = firstIndex(atOrAfter: EventTime.difference(toMs, -1))
        guard first < end else { return [] }
        return events[first..<end].filter { $0.event.isRead(at: positions) }.map { (described($0.event), $0.match) }
    }

    /// What events must hold to mean a key.
    func wanted(of key: DetectorKey) -> [ByteString] { plan.match.map { key.value(of: $0.label) ?? .empty } }

    /// Forgets what bears on no window that starts at or after `startMs`.
    func forget(beforeWindowStartMs startMs: Int64) {
        let horizon = EventTime.difference(startMs, plan.afterMs)
        guard let first = events.first, first.event.timestampMs < horizon else { return }
        sort()
        events.removeFirst(firstIndex(atOrAfter: horizon))
    }

    private func sort() {
        guard !isSorted else { return }
        isSorted = true
        events.sort { a, b in
            if a.event.timestampMs != b.event.timestampMs { return a.event.timestampMs < b.event.timestampMs }
            return a.event.partition != b.event.partition ? a.event.partition < b.event.partition : a.place < b.place
        }
    }

    private func firstIndex(atOrAfter timeMs: Int64) -> Int {
        var low = 0
        var high = events.count
        while low < high {
            let middle = (low + high) / 2
            if events[middle].event.timestampMs < timeMs { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func described(_ event: BroadcastEvent) -> AnomalyEvent {
        func text(_ name: ByteString) -> ByteString { event.series.value(of: name) ?? .empty }
        return AnomalyEvent(
            source: plan.source, timestampMs: event.timestampMs, type: text(EventColumn.type),
            reason: text(EventColumn.reason), severity: text(EventColumn.severity), object: text(EventColumn.object),
            message: event.message, labels: event.series.labels.filter { !EventColumn.all.contains($0.name) },
            action: plan.action)
    }
}

/// An event as expressions see it.
private struct EventView: ExpressionRow {
    let event: BroadcastEvent
    let context: RowContext

    func value(slot: Int) -> Value {
        switch slot {
        case EventScope.Slot.timestamp: .number(Double(event.timestampMs))
        case EventScope.Slot.message: event.message.isEmpty ? .null : .text(event.message)
        default: context.seriesValue(slot, event.series)
        }
    }
}

/// Gathers the events of one partition of a broadcast source, in the place where queries have their windows.
///
/// An event counts if it is in time by its own partition's watermark (SEMANTICS §9), which depends on the partition's
/// record order alone.
final class EventCollector: WindowOperator {
    private let partition: PartitionID
    private let series: SeriesDictionary
    private let delayMs: Int64
    private var newestMs = Int64.min
    private var events: [BroadcastEvent] = []
    /// Every event, and how many came too late to count.
    private(set) var ledger = QueryLedger()

    init(_ partition: PartitionID, _ series: SeriesDictionary, delayMs: Int64) {
        self.partition = partition
        self.series = series
        self.delayMs = delayMs
    }

    func process(_ batch: SampleBatch) {
        for row in 0..<batch.count {
            let time = batch.timestamps[row]
            ledger.decoded += 1
            if newestMs != .min, time < EventTime.difference(newestMs, delayMs) {
                ledger.late += 1
                continue
            }
            newestMs = max(newestMs, time)
            let id = batch.series[row]
            guard id != SampleBatch.overLimit, let labels = series.labels(of: id) else {
                ledger.limitDrops += 1
                continue
            }
            ledger.aggregated += 1
            let message = row < batch.messages.count ? batch.messages[row] : .empty
            events.append(
                BroadcastEvent(
                    timestampMs: time, series: labels, message: message, partition: partition,
                    offset: batch.position(of: row).offset))
        }
    }

    /// The events since the last call, in record order.
    func takeEvents() -> [BroadcastEvent] {
        defer { events = [] }
        return events
    }

    func add(series: [UInt32]) {}
    func forget(series: [UInt32]) {}
    var frozenBytes: (all: Int, older: Int) { (0, 0) }
    func takeFrozen() -> [WindowPartial] { [] }
    func freeze(through window: Int64) {}
    var frozenThrough: Int64? { nil }
    func snapshotOpen(all: Bool) -> [WindowPartial] { [] }
    var newestOpenWindow: Int64? { nil }
    var oldestOpenWindow: Int64? { nil }
    func takeLate() -> [LateSample] { [] }
    func key(of group: UInt32) -> GroupKey { GroupKey([]) }
    var groupBound: Int { 0 }
    var groupGeneration: Int { 0 }
    func logSeries(_ series: UInt32) -> (labels: SeriesLabels, group: UInt32) {
        (SeriesLabels(name: .empty, labels: []), 0)
    }
    var stateBytes: Int { events.count * 64 }

    // A broadcast source is read again from its beginning at each start: its events need no checkpoint.
    func trackStateChanges() {}
    var stateRows: Int { 0 }
    var unsavedRows: Int { 0 }
    func encodeState(whole: Bool, to writer: inout ByteWriter) -> Int { 0 }
    func decodeState(from reader: inout ByteReader) throws(DecodingFailure) {
        throw DecodingFailure("the events of a broadcast source are kept in no checkpoint")
    }
    func finishDecodingState() {}
}
