import Platform
import Synchronization

/// A request to stop, set by a signal or a caller and looked at between slices.
public final class StopRequest: Sendable {
    private let flag = Atomic(false)

    public init() {}

    /// Asks for a clean stop.
    public func request() { flag.store(true, ordering: .releasing) }
    /// Whether a stop was asked for.
    public var isRequested: Bool { flag.load(ordering: .acquiring) }
}

/// How far a bounded run has come.
public struct ReplayProgress: Sendable {
    /// Input bytes read and to read, where known.
    public let consumedBytes: Int64
    public let totalBytes: Int64
    /// Largest event time so far.
    public let eventTimeMs: Int64?
    public let samples: Int
    public let seconds: Double
}

extension JobExecution {
    /// Runs to the end of bounded partitions: the whole of `replay`.
    ///
    /// Partitions far ahead of the slowest wait (`maxAhead`); results do not depend on it, memory does. `progress` is called
    /// between slices. `topics` is what hands out those of the partitions that are topics': it is asked for its events
    /// while they are read, and closed at the end; `log` is given lines for the person who watches.
    public func replay(
        _ partitions: [(source: String, readers: [any PartitionReader])], topics: (any LiveSource)? = nil,
        stop: StopRequest, log: (String) -> Void = { _ in }, progress: (ReplayProgress) -> Void
    ) throws -> JobSummary {
        defer { topics?.close() }
        do {
            if let failure = pool.failure { throw failure }
            return try replayToEnd(partitions, topics, stop: stop, log: log, progress: progress)
        } catch {
            release()
            throw error
        }
    }

    private func replayToEnd(
        _ partitions: [(source: String, readers: [any PartitionReader])], _ topics: (any LiveSource)?,
        stop: StopRequest, log: (String) -> Void, progress: (ReplayProgress) -> Void
    ) throws -> JobSummary {
        topicWatch = topics.map {
            TopicWatch($0, clock: clock, reachTimeoutMs: options.reachTimeoutMs)
        }
        sources += broadcasts
        broadcasts = []
        for (name, readers) in partitions {
            guard let source = sources.first(where: { $0.definition.name == name }) else { continue }
            try add(readers, to: source)
        }
        if replayCheckpoint != nil { for source in sources { source.waitsForEnded = true } }
        prepareRepetition()
        let startNs = clock.monotonicNs()
        var pace = options.speed.map { Pace(speed: $0) }
        // What a slice closed is emitted while the next one is processed. Decisions of a recorded run act between the two.
        let isOverlapping = options.workers > 1 && recordedRun == nil
        // Where slices end is the same in every run only if threads do not go on by themselves.
        let mayGoOn = isOverlapping && pace == nil && outputsKeepOrder
        while !stop.isRequested {
            repeatDecisions()
            let ready = runnable(&pace)
            let isFirst = ready.contains { $0.task.nextOffset == nil }
            if ready.isEmpty {
                guard sources.contains(where: { !$0.allEnded }) else { break }
                try commitIfDue()
                progress(currentProgress(startNs: startNs))
                try topicWatch?.attend(isWaiting: false, log)
                clock.sleep(ms: 1)
                continue
            }
            // The first slice is only to learn where each partition begins: with thirty files that follow each other, a
            // large one of each would wait in memory for the first file to end.
            let bytes = isFirst ? min(options.sliceBytes, 1024) : options.sliceBytes
            try slice(
                ready, bytes: bytes, goesOn: mayGoOn && !isFirst,
                beside: isOverlapping ? { try self.show() } : nil)
            tellNotices(log)
            if isFirst {
                for entry in ready { entry.task.hibernate() }
                ProcessMemory.trim()
            }
            for source in sources { source.advanceWatermark() }
            try gather()
            if !isOverlapping { try show() }
            try commitIfDue()
            progress(currentProgress(startNs: startNs))
            try topicWatch?.attend(isWaiting: !ready.contains { $0.task.advanced || $0.task.hasEnded }, log)
        }
        try show()
        if stop.isRequested { for source in sources { try writeSide(source, isOver: true) } }
        if !stop.isRequested {
            try leaveCheckpoint()
            try emitAtEnd(keepOpen: options.keepOpen)
        }
        try commitEpoch()
        try close()
        tellNotices(log)
        var result = summary()
        result.interrupted = stop.isRequested
        return result
    }

    /// Whether each output is written in an order that depends on the records alone, wherever slices end. Rows of one source's
    /// queries, and what detectors find on them at once, go by the watermark that closes windows, its side outputs by record.
    /// Several sources, rows of triggers, and findings that wait for events keep an order only in outputs of their own.
    private var outputsKeepOrder: Bool {
        var writers: [String: Set<String>] = [:]
        func note(_ writer: String, _ sinks: [any Sink]) {
            for sink in sinks { writers[sink.description, default: []].insert(writer) }
        }
        for (query, sinks) in zip(job.queries, outputs.queries) {
            let windows = "windows of \(query.source)"
            note(query.outputMode == .append ? windows : "triggers of \(query.name)", sinks.sinks)
            for (detector, sinks) in zip(query.anomalies, sinks.anomalies) {
                note(detector.contexts.isEmpty ? windows : "detector \(detector.name) of \(query.name)", sinks)
            }
            for (impact, sinks) in zip(query.impacts, sinks.impacts) {
                note("impact \(impact.name) of \(query.name)", sinks)
            }
            note("side outputs of \(query.source)", sinks.late.map { [$0] } ?? [])
        }
        if let deadLetter = outputs.deadLetter {
            for source in sources { note("side outputs of \(source.definition.name)", [deadLetter]) }
        }
        return writers.values.allSatisfy { $0.count == 1 }
    }

    private func commitIfDue() throws {
        guard clock.monotonicNs() >= nextTriggerNs else { return }
        try show()
        guard hasNews else { return }
        try emit(trigger: true)
        try commitEpoch()
    }

    /// Tasks that may run now: not at their end, not too far ahead of the slowest, and within the pace.
    private func runnable(_ pace: inout Pace?) -> [(source: SourceExecution, task: PartitionTask)] {
        let maxAhead = job.definition.effectiveMaxAheadMs
        let paceLimit = pace?.limitMs(
            newestMs: sources.flatMap(\.tasks).compactMap(\.maxTimestampMs).max(), nowNs: clock.monotonicNs())
        var ready: [(source: SourceExecution, task: PartitionTask)] = []
        for source in sources {
            let live = source.tasks.filter { !$0.hasEnded }
            let unheard = live.filter { $0.watermarkMs == nil }
            // Every partition speaks once before any runs on: only then is it known who is ahead.
            if !unheard.isEmpty {
                // A few at a time, so that not all files are open at once; of many thousands more, as a slice looks at all.
                let count = max(options.workers, min(source.tasks.count / 256, 256))
                let fresh = unheard.filter { $0.nextOffset == nil }.prefix(count)
                ready += (fresh.isEmpty ? unheard : Array(fresh)).map { (source, $0) }
                continue
            }
            guard let slowest = live.compactMap(\.watermarkMs).min() else { continue }
            for task in live {
                guard let watermark = task.watermarkMs, let newest = task.maxTimestampMs else { continue }
                if EventTime.difference(watermark, slowest) > maxAhead {
                    task.hibernate()
                } else if paceLimit.map({ newest <= $0 }) ?? true {
                    ready.append((source, task))
                }
            }
        }
        return ready
    }

    private func currentProgress(startNs: Int64) -> ReplayProgress {
        var consumed: Int64 = 0
        var total: Int64 = 0
        var newest: Int64?
        var samples = 0
        for task in sources.flatMap(\.tasks) {
            if let bytes = task.reader.progress {
                consumed += bytes.consumed
                total += bytes.total
            }
            if let time = task.maxTimestampMs { newest = max(newest ?? .min, time) }
            samples += task.ledger.samples
        }
        return ReplayProgress(
            consumedBytes: consumed, totalBytes: total, eventTimeMs: newest, samples: samples,
            seconds: Double(clock.monotonicNs() - startNs) / 1e9)
    }
}

/// `--speed Nx`: the largest event time over all partitions against the wall clock (SEMANTICS §8).
private struct Pace {
    let speed: Double
    private var origin: (eventMs: Int64, wallNs: Int64)?

    init(speed: Double) { self.speed = speed }

    /// The event time up to which tasks may have come by now; nil before the first sample.
    mutating func limitMs(newestMs: Int64?, nowNs: Int64) -> Int64? {
        guard let newestMs else { return nil }
        let origin = self.origin ?? (newestMs, nowNs)
        self.origin = origin
        let passedMs = Double(nowNs - origin.wallNs) / 1e6 * speed
        return passedMs < 1e15 ? EventTime.difference(origin.eventMs, -Int64(passedMs)) : .max
    }
}
