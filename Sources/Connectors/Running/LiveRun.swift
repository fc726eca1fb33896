import Platform
import StreamEngine

/// One live run of a job in this process: locks, checkpoint, commit point, sinks and source, put together in the order that
/// SEMANTICS §5 asks for.
public struct LiveRun {
    public var definition: JobDefinition
    public var registries: Registries
    public var options: ExecutionOptions
    /// Wait where another member is in the way.
    public var standby = false
    /// Set the old checkpoint aside and start anew; nil: go on.
    public var freshStart: CheckpointSession.FreshStart?
    /// For the person who watches, from the thread that runs.
    public var log: (String) -> Void
    /// librdkafka's own words, and what goes wrong in the background.
    public var kafkaLog: @Sendable (KafkaLogLine) -> Void
    public var notice: @Sendable (String) -> Void
    public var onProgress: ((QueryProgress) -> Void)?
    /// Told of the member's slot once it has one.
    public var onSlot: ((String) -> Void)?
    public var makeOperator: (QueryPlan, PartitionID, SeriesDictionary) -> any WindowOperator

    /// A run of a job; `makeOperator` is `PaneWindows.init`. Options without an incarnation are given one.
    public init(
        _ definition: JobDefinition, registries: Registries, options: ExecutionOptions,
        log: @escaping (String) -> Void, kafkaLog: @escaping @Sendable (KafkaLogLine) -> Void,
        notice: @escaping @Sendable (String) -> Void,
        makeOperator: @escaping (QueryPlan, PartitionID, SeriesDictionary) -> any WindowOperator
    ) {
        self.definition = definition
        self.registries = registries
        self.options = options
        if options.incarnation.isEmpty { self.options.incarnation = EpochToken.randomIncarnation() }
        self.log = log
        self.kafkaLog = kafkaLog
        self.notice = notice
        self.makeOperator = makeOperator
    }

    /// Runs until the job's end or `stop`. Nil: it was stopped while it waited for another member. `reach` returns once a
    /// broker answers, false when it was stopped before.
    public func run(stop: StopRequest, reach: () throws -> Bool) throws -> JobSummary? {
        let job = try CompiledJob(definition, registries: registries)
        guard definition.delivery != .none else { return try runWithoutGroup(job, stop, reach) }
        let location = definition.checkpoint.location
        if freshStart != nil { guard try setAside(job, location, stop) else { return nil } }
        var directory = try CheckpointDirectory.openOrCreate(location, job: JobIdentity(definition))
        guard let locks = try takeLocks(job, location, standby: standby, stop) else { return nil }
        defer { locks.release() }
        onSlot?(locks.slot)
        try takeOver(&directory, locks)
        guard try reach() else { return nil }

        let incarnation = options.incarnation
        let store = FileStateStore(
            directory: location, incarnation: incarnation, options: FileStateOptions(definition.checkpoint)
        ) { [notice] in notice($0.description) }
        defer { store.close() }
        let producer =
            definition.delivery == .exactlyOnce
            ? try KafkaEpochProducer(definition, checkpointID: directory.id, slot: locks.slot, log: kafkaLog) : nil
        let outputs = try JobSinks(definition, registries: registries, transactions: producer).makeOutputs(job)
        let consumer = try KafkaSources.member(definition, log: kafkaLog)
        let point: any CommitPoint
        if let producer {
            point = try KafkaCommitPoint(producer, consumer: consumer, locks: locks, slot: locks.slot, log: log)
        } else {
            point = KafkaOffsetCommitPoint(consumer: consumer, slot: locks.slot)
        }
        defer { point.close() }
        let execution = try makeExecution(job, outputs)
        let session = CheckpointSession(
            store: store, commitPoint: point, publishesFirst: definition.delivery == .atLeastOnce)
        session.freshStart = freshStart
        session.packing = FileStateOptions(definition.checkpoint).compression
        session.compact = { partition, state, merge in store.compactIfDue(partition, at: state, merge: merge) }
        execution.session = session
        return try execution.run(consumer, end: definition.liveEnd, stop: stop, log: log)
    }

    private func makeExecution(_ job: CompiledJob, _ outputs: JobOutputs) throws(SourceError) -> JobExecution {
        let execution = JobExecution(
            job: job, outputs: outputs, options: options, clock: SystemClock(), makeOperator: makeOperator)
        execution.onProgress = onProgress
        execution.broadcastReaders = try KafkaSources.broadcasts(definition, log: kafkaLog)
        return execution
    }

    /// `delivery: none`: a look at topics, outside of any group.
    private func runWithoutGroup(_ job: CompiledJob, _ stop: StopRequest, _ reach: () throws -> Bool) throws
        -> JobSummary?
    {
        guard try reach() else { return nil }
        let outputs = try JobSinks(definition, registries: registries).makeOutputs(job)
        let source = try KafkaSources.live(definition, log: kafkaLog)
        return try makeExecution(job, outputs).run(source, end: definition.liveEnd, stop: stop, log: log)
    }

    // MARK: The checkpoint directory

    private func takeLocks(
        _ job: CompiledJob, _ location: String, standby: Bool, _ stop: StopRequest
    ) throws -> MembershipLocks? {
        let mixed = job.queries.first { !$0.isPartitionLocal }
        return try MembershipLocks.take(
            MembershipLocks.Request(
                checkpoint: location, staticID: definition.kafka.instanceID,
                aloneBecause: mixed.flatMap { query in query.notPartitionLocal.map { "query \(query.name): \($0)" } },
                standby: standby),
            clock: SystemClock(), stop: stop, log: log)
    }

    /// Moves an old checkpoint aside, unless a process is running on it.
    private func setAside(_ job: CompiledJob, _ location: String, _ stop: StopRequest) throws -> Bool {
        guard try PosixFileSystem().exists(location) else { return true }
        guard
            let locks = try MembershipLocks.take(
                MembershipLocks.Request(
                    checkpoint: location, staticID: definition.kafka.instanceID,
                    aloneBecause: "--new-checkpoint sets the checkpoint aside", standby: standby),
                clock: SystemClock(), stop: stop, log: log)
        else { return false }
        defer { locks.release() }
        if let old = try CheckpointDirectory.setAside(location, nowMs: SystemClock().wallMs()) {
            log("the old checkpoint is kept as \(old)")
        }
        return true
    }

    /// The checkpoint goes on with this job, if its state means the same.
    private func takeOver(_ directory: inout CheckpointDirectory, _ locks: MembershipLocks) throws {
        let present = JobIdentity(definition)
        let difference = JobDifference(checkpoint: directory.job, present: present)
        if let refusal = difference.refusal(job: definition.name, directory: directory.path) { throw refusal }
        if !difference.items.isEmpty, let other = try locks.others().first {
            let changes = difference.items.map(\.description).joined(separator: "; ")
            throw JobFailure(
                "\(other) runs with checkpoint \(directory.path) and another job than this one (\(changes)): members of a "
                    + "group run one job. Stop it first, then start all members with the new job")
        }
        for item in difference.items { log("changed since the checkpoint: \(item)") }
        for query in difference.newQueries {
            log("query \(query) is new: it starts empty at the committed offsets, so its first windows are incomplete")
        }
        try directory.update(present)
    }
}
