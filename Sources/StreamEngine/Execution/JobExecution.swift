import Platform

/// How a job is driven, beside its definition.
public struct ExecutionOptions: Sendable {
    /// Data-plane threads.
    public var workers = 1
    /// Input bytes a task takes in one slice.
    public var sliceBytes = 1 << 20
    /// Leave windows open that the end of input alone would close.
    public var keepOpen = false
    /// Event time may pass this many times as fast as the clock; nil: as fast as possible.
    public var speed: Double?
    /// Windows that start earlier are computed but not shown (`--from` warms up), ms.
    public var firstWindowStartMs = Int64.min
    /// Sources of which only samples with these event times are taken; the others are passed over, uncounted (`--from` and
    /// `--to` over files), ms.
    public var sampleTimesMs: [String: Range<Int64>] = [:]
    /// How long a run that ends by itself waits for a broker, ms; for partitions four times as long.
    public var reachTimeoutMs: Int64 = 30_000
    /// 128 random bits in hexadecimal: the incarnation of SEMANTICS §5.
    public var incarnation = ""

    public init() {}
}

/// A partition task handed to a data-plane thread.
///
/// Unchecked: between two barriers exactly one thread touches a task (`WorkerPool.run` gives each index to one thread, and
/// returns when all are done), and the coordinator touches tasks only between barriers.
private struct Handed: @unchecked Sendable {
    let work: [(task: PartitionTask, hasWindows: Bool, latestTimestampMs: (PartitionTask, RawRecord) -> Int64)]
}

/// Runs a compiled job over partitions: slices of work on the data-plane threads, then, at the barrier, emission and epochs
/// on the coordinator's. `replay` and `run` differ only in where partitions come from and end (SEMANTICS §7).
public final class JobExecution {
    public let job: CompiledJob
    let options: ExecutionOptions
    let clock: any Clock
    var sources: [SourceExecution] = []
    /// Sources read whole as context, beside the others. A replay reads them as it does the others, among `sources`.
    var broadcasts: [SourceExecution] = []
    /// Where a live run reads broadcast sources; set before `run`.
    public var broadcastReaders: [any LiveSource] = []
    let outputs: JobOutputs
    let pool: WorkerPool
    let makeOperator: (QueryPlan, PartitionID, SeriesDictionary) -> any WindowOperator
    private let startNs: Int64
    var epoch = 0
    /// Epochs with records or decisions that were committed by this process.
    var epochsCommitted = 0
    var lastTriggerNs: Int64
    var dirty = false
    private var isReleased = false
    var lastWork = TriggerWork()
    /// What a live run knows beside its sources' state.
    var live = LiveRunState()
    /// A replay of topics: what looks after their client.
    var topicWatch: TopicWatch?
    /// A live run: the group's topics.
    var liveTopics: (any LiveSource)?
    /// What a person should know that stopped nothing, for the log: lost offsets, what sinks say.
    var notices: [String] = []
    /// How long final rows took (live only).
    var latency = RowLatency()
    /// The Kafka timestamp of the record that closes the windows being emitted; nil where the clock does, or nothing is known.
    var closingRecordMs: Int64?
    /// Called after each trigger with what it did.
    public var onProgress: ((QueryProgress) -> Void)?

    /// Records behind the brokers' ends, for progress (live only).
    var lag: (() -> Int64?)?
    /// The wall-clock decisions taken so far (SEMANTICS §3), in the order taken; the newest ones, as they are kept in memory.
    public private(set) var decisions: [Decision] = []
    private static let decisionsKept = 100_000
    /// What a replay repeats; nil: no decision of a clock is applied.
    public var recordedRun: RecordedRun?
    /// The newest event time a live run takes now, by source, ms; of sources with `maxFutureSkew`.
    private var clockLimitsMs: [String: Int64] = [:]
    /// The job's checkpoint; nil for a replay, and where nothing is committed (`delivery: none`).
    public var session: CheckpointSession?
    /// Where a replay leaves the state it ends with, for a run to go on from; nil for none.
    public var replayCheckpoint: (any StateStore)?

    /// Rows and records since the last trigger.
    struct TriggerWork {
        var rows = 0
        var samples = 0
        var anomalies = 0
        var impacts = 0
    }

    /// An execution of `job`, writing to `outputs`.
    public init(
        job: CompiledJob, outputs: JobOutputs, options: ExecutionOptions, clock: any Clock,
        makeOperator: @escaping (QueryPlan, PartitionID, SeriesDictionary) -> any WindowOperator
    ) {
        self.job = job
        self.outputs = outputs
        self.options = options
        self.clock = clock
        self.makeOperator = makeOperator
        pool = WorkerPool(width: options.workers)
        startNs = clock.monotonicNs()
        lastTriggerNs = startNs
        for source in job.definition.sources {
            let plans = job.queries.enumerated().filter { $0.element.source == source.name }
            guard !plans.isEmpty || job.contextSources.contains(source.name) else { continue }
            let execution = SourceExecution(
                definition: source, plans: plans.map { (index: $0.offset, plan: $0.element) },
                job: job.definition.name)
            for entry in execution.emitters { entry.emitter.firstWindowStartMs = options.firstWindowStartMs }
            if source.isBroadcast { broadcasts.append(execution) } else { sources.append(execution) }
        }
    }

    // MARK: Partitions

    /// Adds partitions of a source.
    func add(_ readers: [any PartitionReader], to source: SourceExecution) throws(JobFailure) {
        guard let format = job.formats[source.definition.name] else {
            throw JobFailure("source \(source.definition.name) has no format")
        }
        let limits = job.decodeLimits(of: source.definition)
        var taskOptions = job.taskOptions(of: source.definition)
        taskOptions.sampleTimesMs = options.sampleTimesMs[source.definition.name]
        for reader in readers {
            let task = makeTask(reader, format, limits, taskOptions, source)
            if replayCheckpoint != nil { task.trackStateChanges() }
            source.add(task)
        }
    }

    private func makeTask(
        _ reader: any PartitionReader, _ format: any Format, _ limits: DecodeLimits, _ options: TaskOptions,
        _ source: SourceExecution
    ) -> PartitionTask {
        PartitionTask(
            reader: reader, decoder: (reader.recordFormat ?? format).makeDecoder(limits: limits), options: options,
            makeOperators: { id, series in
                if source.definition.isBroadcast {
                    return [EventCollector(id, series, delayMs: source.definition.watermark.delayMs)]
                }
                return source.emitters.map { makeOperator($0.emitter.plan, id, series) }
            })
    }

    /// A task over one partition that is not added yet: its state comes from a checkpoint.
    func makeTask(_ reader: any PartitionReader, of source: SourceExecution) throws(JobFailure) -> PartitionTask {
        guard let format = job.formats[source.definition.name] else {
            throw JobFailure("source \(source.definition.name) has no format")
        }
        let task = makeTask(
            reader, format, job.decodeLimits(of: source.definition), job.taskOptions(of: source.definition), source)
        task.trackStateChanges()
        return task
    }

    // MARK: A slice

    typealias Slice = [(source: SourceExecution, task: PartitionTask)]

    /// Processes a slice of about `bytes` bytes of each of these tasks on all threads, then collects what came of it: rows
    /// closed, late and bad records. Meanwhile `beside` runs on this thread; it touches no task. With `goesOn` a thread that
    /// has nothing to begin takes more of a task for as long as others are not done.
    func slice(_ tasks: Slice, bytes: Int, goesOn: Bool = false, beside: (() throws -> Void)? = nil) throws {
        guard !tasks.isEmpty else { return }
        let before = tasks.reduce(0) { $0 + $1.task.ledger.samples }
        for (source, task) in tasks where source.isIdle(task.id) { source.restingOffsets[task.id] = task.nextOffset }
        try process(tasks, bytes, goesOn, beside)
        for (source, task) in tasks {
            if let failure = task.failure {
                guard try passHole(task, failure) else { throw JobFailure("\(task.id): \(failure)") }
            }
            try checkLimits(task, source)
            try writeBadRecords(task, source)
        }
        lastWork.samples += tasks.reduce(0) { $0 + $1.task.ledger.samples } - before
        if tasks.contains(where: { $0.task.advanced }) { dirty = true }
    }

    private func process(_ tasks: Slice, _ bytes: Int, _ goesOn: Bool, _ beside: (() throws -> Void)?) throws {
        var limits: [String: (PartitionTask, RawRecord) -> Int64] = [:]
        for source in sources + broadcasts where tasks.contains(where: { $0.source === source }) {
            limits[source.definition.name] = futureLimit(of: source)
        }
        let handed = Handed(
            work: tasks.map {
                ($0.task, !$0.source.definition.isBroadcast, limits[$0.source.definition.name] ?? { _, _ in .max })
            })
        let turns = SliceTurns(
            newestMs: tasks.map { $0.task.maxTimestampMs ?? .min }, hasOther: beside != nil, goesOn: goesOn)
        let work: @Sendable (Int) -> Void = { _ in
            while let (index, isContinued) = turns.take() {
                let (task, hasWindows, latestTimestampMs) = handed.work[index]
                task.process(
                    maxBytes: goesOn ? bytes / SliceTurns.turnsOfSlice : bytes, isContinued: isContinued
                ) { latestTimestampMs(task, $0) }
                turns.give(
                    index,
                    SliceTurns.Standing(
                        newestMs: task.maxTimestampMs ?? .min, frozenBytes: task.frozenBytes,
                        mayGoOn: task.failure == nil && task.outcome.isMore && task.limitOffset == nil,
                        hasWindows: hasWindows))
            }
        }
        let threads = min(tasks.count, pool.width)
        guard let beside else { return pool.run(threads, work) }
        pool.begin(threads, work)
        defer { pool.end() }
        defer { turns.endOther() }
        try beside()
    }

    /// Whether this is a live run: `maxFutureSkew` and idleness look at the clock.
    var isLive = false

    /// What is too far in the future (SEMANTICS §3): measured from the record's own time where the broker stamped it, else
    /// from the wall clock: in a live run as it is, in one that is repeated as it was.
    private func futureLimit(of source: SourceExecution) -> (PartitionTask, RawRecord) -> Int64 {
        guard let skew = source.definition.watermark.maxFutureSkewMs else { return { _, _ in .max } }
        // A broadcast source is read again at each start, when the clock shows something else: what counts must not depend
        // on it.
        guard !source.definition.isBroadcast else {
            return { _, record in record.timestampMs.map { EventTime.difference($0, -skew) } ?? .max }
        }
        let clockLimit = isLive ? clock.wallMs() + skew : .max
        clockLimitsMs[source.definition.name] = clockLimit
        let recorded = recordedRun
        return { task, record in
            if record.timestampIsLogAppend, let stamped = record.timestampMs {
                return EventTime.difference(stamped, -skew)
            }
            return recorded?.futureLimitMs(task.id, record.offset) ?? clockLimit
        }
    }

    private func checkLimits(_ task: PartitionTask, _ source: SourceExecution) throws(JobFailure) {
        guard job.definition.limits.onLimit == .fail, let refused = task.series.refused else { return }
        throw JobFailure(LimitMessage.tooManySeries(task, refused: refused))
    }

    private func writeBadRecords(_ task: PartitionTask, _ source: SourceExecution) throws {
        let bad = task.takeBadRecords()
        guard !bad.isEmpty, !isCatchingUp else { return }
        if job.definition.onBadRecord == .fail, let first = bad.first?.record {
            throw JobFailure(
                """
                \(task.id)@\(first.offset) line \(first.line): \(first.reason.rawValue): \(first.detail) (the job says \
                onBadRecord: fail; deadLetter keeps such records aside and goes on)
                """)
        }
        if isLive, let limitMs = clockLimitsMs[task.id.source] {
            var last: Int64?
            for (record, _) in bad where record.reason == .futureTimestamp && record.offset != last {
                last = record.offset
                self.record(
                    Decision(
                        kind: .futureTimestamp(limitMs: limitMs), source: task.id.source, partition: task.id,
                        nextOffset: record.offset, epoch: epoch))
            }
        }
        guard let sink = outputs.deadLetter else { return }
        source.side.append(
            bad.map { record, watermarkMs in
                SideRow(
                    watermarkMs: watermarkMs, partition: task.id, offset: record.offset, line: record.line, query: -1,
                    sink: sink, document: outputs.encodeDeadLetter(task.id, record))
            })
        // A live run's epoch has them even where nothing is emitted any more.
        if isLive { try writeSide(source) }
    }

    // MARK: Epochs

    /// The trigger's interval, ns; 0 for as fast as possible.
    var triggerNs: Int64 {
        if case .interval(let ms) = job.definition.trigger { return ms * 1_000_000 }
        return 1_000_000_000
    }

    /// When the next trigger is due, monotonic ns.
    var nextTriggerNs: Int64 { lastTriggerNs + triggerNs }

    /// Whether anything happened that an epoch must make durable.
    var hasNews: Bool { dirty || lastWork.rows > 0 || lastWork.anomalies > 0 || lastWork.impacts > 0 }

    /// Records a decision of the wall clock. The epoch that holds it is committed even if no offset moved.
    func record(_ decision: Decision) {
        note(decision)
        dirty = true
    }

    /// Records what goes with the next epoch, whenever there is one.
    func note(_ decision: Decision) {
        if decisions.count >= JobExecution.decisionsKept { decisions.removeFirst(JobExecution.decisionsKept / 10) }
        decisions.append(decision)
        session?.unwrittenDecisions.append(decision)
    }

    func checkStateBytes() throws(JobFailure) {
        guard let limit = job.definition.limits.maxStateBytes else { return }
        let bytes = stateBytes
        guard bytes > limit else { return }
        throw JobFailure(
            """
            state holds \(bytes) bytes, more than limits.maxStateBytes (\(limit)): fewer groups (`groupBy`), a smaller \
            window or a shorter `allowedLateness` need less; `stream-job explain` shows the bytes of each
            """)
    }

    /// Bytes of window state in memory.
    var stateBytes: Int64 {
        sources.reduce(0) { total, source in
            total
                + source.tasks.reduce(0) { $0 + $1.operators.reduce(0) { $0 + Int64($1.stateBytes) } }
                + source.emitters.reduce(0) {
                    $0 + Int64($1.emitter.pendingBytes) + Int64($1.emitter.anomalies?.stateBytes ?? 0)
                }
        }
    }

    /// Tells of progress where no epoch did.
    func reportProgress() {
        let nowNs = clock.monotonicNs()
        onProgress?(progress(sinceNs: lastTriggerNs, commitStartNs: nowNs))
    }

    func progress(sinceNs: Int64, commitStartNs: Int64) -> QueryProgress {
        let nowNs = clock.monotonicNs()
        let seconds = max(Double(nowNs - sinceNs) / 1e9, 1e-9)
        return QueryProgress(
            epoch: epoch - 1, samples: lastWork.samples, samplesPerSecond: Double(lastWork.samples) / seconds,
            rows: lastWork.rows, anomalies: lastWork.anomalies, commitMs: Double(nowNs - commitStartNs) / 1e6,
            lag: lag?(), latency: isLive ? LatencyFigures(latency.histogram) : nil, latestLatencyMs: latency.lastMs,
            late: sources.reduce(0) { $0 + $1.lateCount }, bad: sources.reduce(0) { $0 + $1.badCount },
            sources: sources.map { $0.progress(nowMs: isLive ? clock.wallMs() : nil) })
    }

    // MARK: The end

    /// Frees the threads after a failure. Sinks are left as they are: what they prepared stays unpublished.
    func abandon() { pool.stop() }

    /// Closes every sink and frees the threads.
    func close() throws {
        release()
        for sink in outputs.all { try sink.close() }
        noteSinks()
    }

    /// Frees threads and readers, once; what no epoch has decided is left unpublished.
    func release() {
        guard !isReleased else { return }
        isReleased = true
        pool.stop()
        for source in sources + broadcasts { for task in source.tasks { task.reader.close() } }
    }

    /// The balance so far.
    public func summary() -> JobSummary {
        var summary = JobSummary()
        summary.job = job.definition.name
        summary.epochs = epochsCommitted
        summary.seconds = Double(clock.monotonicNs() - startNs) / 1e9
        summary.peakRSSBytes = ProcessMemory.peakRSSBytes()
        summary.anomalies = sources.reduce(0) { total, source in
            total + source.emitters.reduce(0) { $0 + ($1.emitter.anomalies?.rowsOut ?? 0) }
        }
        summary.impacts = sources.reduce(0) { total, source in
            total + source.emitters.reduce(0) { $0 + ($1.emitter.anomalies?.impactRowsOut ?? 0) }
        }
        summary.latency = isLive ? LatencyFigures(latency.histogram) : nil
        summary.closedByEnd = sources.reduce(0) { $0 + $1.closedByEnd }
        for (index, plan) in job.queries.enumerated() {
            for source in sources {
                guard let place = source.emitters.firstIndex(where: { $0.index == index }) else { continue }
                summary.queries.append(
                    JobSummary.Query(
                        name: plan.name, ledger: source.ledger(place), rows: source.emitters[place].emitter.rowsOut))
            }
        }
        summary.partitions = (sources + broadcasts).flatMap(\.partitionSummaries)
        for sink in outputs.all where !summary.outputs.contains(where: { $0.description == sink.description }) {
            summary.outputs.append((sink.description, sink.written))
        }
        return summary
    }
}
