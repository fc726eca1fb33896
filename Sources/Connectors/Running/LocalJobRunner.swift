import Glibc
import Platform
import StreamEngine

/// Runs jobs of the Swift API in this process, each on a thread of its own, over the job's Kafka cluster.
public struct LocalJobRunner: JobRunner {
    private let workers: Int
    private let log: @Sendable (String) -> Void
    private let makeOperator: @Sendable (QueryPlan, PartitionID, SeriesDictionary) -> any WindowOperator

    /// A runner; `makeOperator` is `PaneWindows.init`, `workers` the data-plane threads of each job, `log` takes lines for
    /// the person who watches.
    public init(
        workers: Int = 1, log: @escaping @Sendable (String) -> Void = { _ in },
        makeOperator: @escaping @Sendable (QueryPlan, PartitionID, SeriesDictionary) -> any WindowOperator
    ) {
        self.workers = workers
        self.log = log
        self.makeOperator = makeOperator
    }

    public func start(_ job: JobDefinition, registries: Registries) throws -> any RunningJob {
        // Compiled here, so that what is wrong with the job is thrown to the caller.
        _ = try CompiledJob(job, registries: registries)
        var options = ExecutionOptions()
        options.workers = workers
        options.incarnation = EpochToken.randomIncarnation()
        return try LocalJob(job, registries: registries, options: options, log: log, makeOperator: makeOperator)
    }
}

/// A job on its thread.
private final class LocalJob: RunningJob {
    private struct State {
        var progress: QueryProgress?
        var result: Result<JobSummary?, any Error>?
    }

    private let state = Monitor(State())
    private let stopRequest = StopRequest()

    init(
        _ definition: JobDefinition, registries: Registries, options: ExecutionOptions,
        log: @escaping @Sendable (String) -> Void,
        makeOperator: @escaping @Sendable (QueryPlan, PartitionID, SeriesDictionary) -> any WindowOperator
    ) throws(ThreadFailure) {
        let state = self.state
        let stop = stopRequest
        _ = try Thread(name: definition.name) {
            let result = Result {
                var run = LiveRun(
                    definition, registries: registries, options: options, log: log,
                    kafkaLog: { if $0.level <= 4 { log($0.text) } }, notice: log, makeOperator: makeOperator)
                run.onProgress = { progress in state.withLock { $0.progress = progress } }
                return try run.run(stop: stop, reach: { true })
            }
            state.withLock { $0.result = result }
        }
    }

    var lastProgress: QueryProgress? { state.withLock { $0.progress } }

    func stop() throws {
        stopRequest.request()
        try awaitTermination()
    }

    func awaitTermination() throws {
        _ = try state.wait { $0.result }?.get()
    }
}

extension JobDefinition {
    /// When a live run of this job ends by itself.
    public var liveEnd: LiveEnd {
        switch trigger {
        case .interval: .never
        case .once: .once
        case .availableNow: .availableNow
        }
    }
}
