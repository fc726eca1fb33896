import Platform
import StreamEngine

/// The topics of a replay, opened: every partition from its first record in the bounds to its last one, fixed at the start.
public struct KafkaReplay {
    /// Whose readers these are; hand it to `JobExecution.replay`, which closes it.
    public let topics: any LiveSource
    /// Readers by source, each in partition order.
    public let partitions: [(source: String, readers: [any PartitionReader])]
    /// Offsets in all.
    public let offsetCount: Int64
    /// What a person should know before it begins, such as records that retention has deleted.
    public let notes: [String]

    /// From when to when topics are replayed, by the records' own Kafka times.
    public struct Bounds: Sendable {
        /// Reading begins at the first record of this time or later, for each source; the earliest record where none is given.
        public var fromMs: [String: Int64] = [:]
        /// Reading ends before the first record of this time or later; nil: at what is there at the start.
        public var toMs: Int64?
        /// A run that is repeated: no partition is read from before where it began or beyond where it ended, and none that it
        /// did not read.
        public var run: RecordedRun?

        public init(fromMs: [String: Int64] = [:], toMs: Int64? = nil, run: RecordedRun? = nil) {
            self.fromMs = fromMs
            self.toMs = toMs
            self.run = run
        }
    }

    /// Opens the topics of these sources. Joins no group. Waits up to `timeoutMs` for a broker; nil when a stop was asked
    /// for before. `say` is given lines for the person who waits.
    public static func open(
        _ job: JobDefinition, sources: Set<String>, bounds: Bounds, timeoutMs: Int64 = 30_000, stop: StopRequest,
        clock: any Clock = SystemClock(), say: (String) -> Void, log: @escaping @Sendable (KafkaLogLine) -> Void
    ) throws(SourceError) -> KafkaReplay? {
        let reader = try KafkaSources.bounded(
            job, sources: sources, starts: bounds.fromMs.mapValues { .time(ms: $0) },
            end: bounds.toMs.map { .time($0) } ?? .present, log: log)
        do throws(SourceError) {
            let deadlineNs = clock.monotonicNs() + timeoutMs * 1_000_000
            guard let ids = try assigned(reader, deadlineNs, stop, clock, say) else {
                reader.close()
                return nil
            }
            return try KafkaReplay(reader, ids, bounds, order: job.sources.map(\.name).filter(sources.contains))
        } catch {
            reader.close()
            throw error
        }
    }

    private static func assigned(
        _ reader: KafkaTopicReader, _ deadlineNs: Int64, _ stop: StopRequest, _ clock: any Clock,
        _ say: (String) -> Void
    ) throws(SourceError) -> [PartitionID]? {
        while !stop.isRequested {
            for event in reader.poll(untilNs: clock.monotonicNs() + 100_000_000) {
                switch event {
                case .assigned(let ids): return ids
                case .failed(let error): throw error
                case .brokerDown(let text), .brokerUp(let text): say(text)
                case .warning(let text): say("warning: \(text)")
                case .revoked, .lost: break
                }
            }
            guard clock.monotonicNs() > deadlineNs else { continue }
            throw SourceError(
                .unreachable, "\(reader.description): no broker in reach; is it up, and is its address right?")
        }
        return nil
    }

    private init(
        _ reader: KafkaTopicReader, _ ids: [PartitionID], _ bounds: Bounds, order: [String]
    ) throws(SourceError) {
        let earliest = try reader.firstOffsets(ids, timeoutMs: 30_000)
        var starts = try reader.startingOffsets(ids, timeoutMs: 30_000)
        if let run = bounds.run { starts = try Self.starts(of: run, starts, earliest, bounds, reader) }
        let ids = ids.filter { starts[$0] != nil }
        let readers = try reader.start(starts, before: bounds.run?.ends ?? [:])
        topics = reader
        partitions = order.map { source in (source, readers.filter { $0.id.source == source }) }
        let offsets = readers.compactMap(\.progress).reduce(Int64(0)) { $0 + $1.total }
        offsetCount = offsets
        var notes: [String] = []
        let cut = ids.filter { id in
            guard let first = earliest[id], first > 0 else { return false }
            return starts[id].map { $0 <= first } ?? false
        }
        if !cut.isEmpty {
            let list = cut.prefix(8).map { "\($0) begins at offset \(earliest[$0] ?? 0)" }.joined(separator: ", ")
            notes.append("older records are no longer in the log: \(list)\(cut.count > 8 ? " …" : "")")
        }
        if offsets == 0, bounds.toMs != nil || !bounds.fromMs.isEmpty {
            let held = try reader.recordCount(ids)
            if held > 0 {
                notes.append(
                    "no record lies between --from and --to, though the topics hold \(held): the bounds go by the "
                        + "records' own times in Kafka, not by those of the samples in them")
            }
        }
        self.notes = notes
    }
}

extension KafkaReplay {
    /// Where the partitions of a run that is repeated are read from. What it read must be there.
    private static func starts(
        of run: RecordedRun, _ starts: [PartitionID: Int64], _ earliest: [PartitionID: Int64], _ bounds: Bounds,
        _ reader: KafkaTopicReader
    ) throws(SourceError) -> [PartitionID: Int64] {
        var found: [PartitionID: Int64] = [:]
        for (id, byTime) in starts {
            guard let first = run.starts[id] else { continue }
            found[id] = bounds.fromMs[id.source] == nil ? first : max(first, byTime)
            // Broadcast sources are read again from what is there at each start of a run too.
            guard let end = run.ends[id] else {
                found[id] = max(found[id] ?? 0, earliest[id] ?? 0)
                continue
            }
            let low = earliest[id] ?? 0
            guard found[id] ?? 0 >= min(low, end) else {
                throw SourceError(
                    .dataLoss(wanted: first, low: low, high: nil),
                    "\(id): the run began at offset \(first), and offsets \(first) to \(min(low, end) - 1) are no longer in "
                        + "the log: it cannot be repeated from its start. --from TIME repeats it from a later time",
                    partition: id)
            }
            let high = try reader.offsetBounds(of: id, timeoutMs: 30_000).high
            guard end <= high else {
                throw SourceError(
                    .dataLoss(wanted: end, low: low, high: high),
                    "\(id): the run read up to offset \(end), and the log ends at \(high): the topic was made anew since",
                    partition: id)
            }
        }
        let gone = run.ends.keys.filter { starts[$0] == nil }.sorted()
        guard gone.isEmpty else {
            throw SourceError(
                .unknownTopic,
                "the run read \(gone.prefix(8).map(\.description).joined(separator: ", ")), which is gone")
        }
        return found
    }
}

extension KafkaTopicReader {
    /// Offsets that these partitions hold now, bounds or no bounds.
    func recordCount(_ ids: [PartitionID]) throws(SourceError) -> Int64 {
        var count: Int64 = 0
        for id in ids {
            let bounds = try offsetBounds(of: id, timeoutMs: 30_000)
            count += max(0, bounds.high - bounds.low)
        }
        return count
    }
}
