import Connectors
import Glibc
import JobFile
import Operators
import Platform
import StreamEngine

extension Command {
    /// `stream-job run JOB.yaml`
    static let run = Command(
        name: "run", summary: "run a job as a member of its consumer group, until stopped", operands: "JOB.yaml",
        details: """
            Joins the job's group, reads its topics and writes its sinks until SIGINT or SIGTERM; then it finishes the
            epoch, closes its sinks and leaves the group. State is kept in memory: a restart reads again from
            `startingOffsets`.
            """,
        flags: [LiveRun.once, LiveRun.availableNow, LiveRun.group, LiveRun.workers, .summary, .set],
        examples: [
            "stream-job run jobs/node-load.yaml",
            "stream-job run jobs/node-load.yaml --available-now --summary json",
            "KAFKA_BROKERS=kafka-1:9092 stream-job run jobs/node-load.yaml --set trigger.interval=10s",
        ],
        run: LiveRun.run)
}

/// What `run` does.
private enum LiveRun {
    static let once = Flag.option("--once", "what is there now as one epoch, then the end")
    static let availableNow = Flag.option("--available-now", "what is there now, then the end; open windows stay open")
    static let group = Flag.valued("--group", "NAME", "another consumer group than the job's")
    static let workers = Flag.valued("--workers", "N", "data-plane threads (one a core)")

    @Sendable
    static func run(_ arguments: ParsedArguments, _ console: Console) throws(UsageError) -> Int32 {
        guard var definition = try arguments.loadJob(console) else { return ExitCode.wrongInput }
        if let name = arguments.value(group) { definition.group = name }
        guard definition.kafka.brokers != nil else {
            throw UsageError(
                "job \(definition.name) names no Kafka cluster",
                hint: "kafka: {brokers: host:9092}, or --set kafka.brokers=…")
        }
        if let source = definition.sources.first(where: { $0.isBroadcast }) {
            throw UsageError("source \(source.name) is `broadcast: true`: `run` cannot read such sources yet")
        }
        if arguments.has(once) { definition.trigger = .once }
        if arguments.has(availableNow) { definition.trigger = .availableNow }
        var options = ExecutionOptions()
        options.workers = try arguments.integer(workers, in: 1...256) ?? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        let stop = StopRequest()
        Signals.watch(stop) { console.note($0) }
        do {
            return try run(definition, options, stop, arguments, console)
        } catch {
            return console.showFailure(error)
        }
    }

    private static func run(
        _ definition: JobDefinition, _ options: ExecutionOptions, _ stop: StopRequest, _ arguments: ParsedArguments,
        _ console: Console
    ) throws -> Int32 {
        let job = try CompiledJob(definition, registries: .standard)
        announce(definition, console)
        let status = StatusLine(console)
        let reach = ClusterReach(definition: definition, stop: stop, clock: SystemClock()) { status.log($0) }
        guard try reach.wait() else { return Signals.exitCode ?? ExitCode.done }
        let sinks = JobSinks(definition, registries: .standard)
        let outputs = try sinks.makeOutputs(job)
        var options = options
        options.incarnation = EpochToken.randomIncarnation()
        let execution = JobExecution(
            job: job, outputs: outputs, options: options, clock: SystemClock(),
            makeOperator: { PaneWindows(plan: $0, partition: $1, series: $2) })
        let source = try KafkaSources.live(definition, log: { Console.logKafka($0) })
        execution.onProgress = { status.show($0) }
        let summary = try execution.run(source, end: definition.liveEnd, stop: stop) { status.log($0) }
        status.finish()
        console.note(SummaryText.people(summary))
        if arguments.value(.summary) == "json" { console.out(SummaryText.json(summary) + "\n") }
        return Signals.exitCode ?? ExitCode.done
    }

    /// What holds for this run, before anything happens.
    private static func announce(_ definition: JobDefinition, _ console: Console) {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let directory = getcwd(&buffer, buffer.count).map { String(cString: $0) } ?? "."
        let joining =
            definition.delivery == .none ? "reading without a group" : "joining group \(definition.group)"
        StatusLine(console).log("\(joining) at \(definition.kafka.brokers ?? "")")
        for source in definition.sources {
            let topics =
                switch source.topics {
                case .topics(let names): names.joined(separator: ", ")
                case .pattern(let pattern): "topics that match \(pattern)"
                }
            let idle = source.watermark.idleTimeoutMs.map { DurationText.compact($0) } ?? "off"
            let skew = source.watermark.maxFutureSkewMs.map { DurationText.compact($0) } ?? "off"
            console.note(
                "           source \(source.name): \(topics), \(source.format); watermark delay "
                    + "\(DurationText.compact(source.watermark.delayMs)), idleTimeout \(idle), maxFutureSkew \(skew)\n")
        }
        for query in definition.queries {
            let first =
                query.window.sizeMs + query.allowedLatenessMs
                + (definition.source(query.from)?.watermark.delayMs ?? 0)
            console.note(
                "           query \(query.name): a window of \(DurationText.compact(query.window.sizeMs)) closes "
                    + "\(DurationText.compact(first)) after its start, when records of that time have come; "
                    + "\(query.outputMode.rawValue) mode\n")
        }
        console.note(
            "           state in memory (a restart reads again from startingOffsets); dead letters and relative paths "
                + "under \(directory)\n")
    }
}
