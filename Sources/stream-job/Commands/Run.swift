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
            epoch, commits, closes its sinks and leaves the group. State is kept in the job's checkpoint: a restart, or
            another member, goes on at the very record. Each epoch is decided by one Kafka transaction, so that nothing is
            lost or doubled, also by `kill -9`.
            """,
        flags: [
            RunCommand.once, RunCommand.availableNow, RunCommand.group, RunCommand.standby, RunCommand.newCheckpoint,
            RunCommand.from, RunCommand.workers, .summary, .logFormat, .set,
        ],
        examples: [
            "stream-job run jobs/node-load.yaml",
            "stream-job run jobs/node-load.yaml --available-now --summary json",
            "KAFKA_BROKERS=kafka-1:9092 stream-job run jobs/node-load.yaml --set trigger.interval=10s",
        ],
        stopsCleanly: true,
        run: RunCommand.run)
}

/// What `run` does.
private enum RunCommand {
    static let once = Flag.option("--once", "what is there now as one epoch, then the end")
    static let availableNow = Flag.option("--available-now", "what is there now, then the end; open windows stay open")
    static let group = Flag.valued("--group", "NAME", "another consumer group than the job's")
    static let standby = Flag.option("--standby", "where another member is in the way, wait for it instead of refusing")
    static let newCheckpoint = Flag.option(
        "--new-checkpoint", "start anew with empty state; the old checkpoint is kept beside")
    static let from = Flag.valued(
        "--from", "WHERE", "with --new-checkpoint: committed, earliest, latest or a time (startingOffsets)")
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
        if arguments.has(once) { definition.trigger = .once }
        if arguments.has(availableNow) { definition.trigger = .availableNow }
        var options = ExecutionOptions()
        options.workers = try arguments.integer(workers, in: 1...256) ?? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        try start(arguments, &definition)
        if let complaint = FaultPoint.complaint { throw UsageError(complaint) }
        let stop = StopRequest()
        do {
            try Signals.watch(stop) { console.note($0) }
            return try run(definition, options, stop, arguments, console)
        } catch {
            return console.showFailure(error)
        }
    }

    private static func run(
        _ definition: JobDefinition, _ options: ExecutionOptions, _ stop: StopRequest, _ arguments: ParsedArguments,
        _ console: Console
    ) throws -> Int32 {
        let status = StatusLine(console)
        var options = options
        options.incarnation = EpochToken.randomIncarnation()
        ProcessMemory.keepBuffers()
        var run = LiveRun(
            definition, registries: .standard, options: options, log: { status.log($0) },
            kafkaLog: { Console.logKafka($0) }, notice: { Console.logNotice($0) },
            makeOperator: { PaneWindows(plan: $0, partition: $1, series: $2) })
        run.standby = arguments.has(standby)
        if arguments.has(newCheckpoint) {
            run.freshStart = arguments.value(from) == "committed" ? .committed : .startingOffsets
        }
        run.onProgress = { status.show($0) }
        run.onSlot = { announce(definition, slot: $0, console) }
        if definition.delivery == .none { announce(definition, slot: nil, console) }
        let reach = ClusterReach(definition: definition, stop: stop, clock: SystemClock()) {
            status.log("warning: \($0)")
        }
        guard let summary = try run.run(stop: stop, reach: { try reach.wait() }) else {
            return Signals.exitCode ?? ExitCode.done
        }
        status.finish()
        SummaryText.show(summary, console)
        if arguments.value(.summary) == "json" { console.out(SummaryText.json(summary) + "\n") }
        return Signals.exitCode ?? ExitCode.done
    }

    /// `--from` of `--new-checkpoint`: earliest, latest or a time take the place of every source's `startingOffsets`.
    private static func start(_ arguments: ParsedArguments, _ definition: inout JobDefinition) throws(UsageError) {
        guard let text = arguments.value(from) else { return }
        guard arguments.has(newCheckpoint) else {
            throw UsageError("--from is for --new-checkpoint", hint: "a run goes on where its checkpoint is")
        }
        let start: StartingOffsets
        switch text {
        case "committed": return
        case "earliest": start = .earliest
        case "latest": start = .latest
        default:
            guard let ms = EventTime.parseRFC3339(text) else {
                throw UsageError("--from \(text): committed, earliest, latest or an RFC 3339 time")
            }
            start = .time(ms: ms)
        }
        for index in definition.sources.indices { definition.sources[index].startingOffsets = start }
    }

    /// What holds for this run, before anything happens.
    private static func announce(_ definition: JobDefinition, slot: String?, _ console: Console) {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let directory = getcwd(&buffer, buffer.count).map { String(cString: $0) } ?? "."
        let joining =
            slot.map { "joining group \(definition.group) in slot \($0)" } ?? "reading without a group"
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
            "           \(slot == nil ? "nothing is committed; state in memory" : checkpointText(definition, directory))\n"
        )
        console.note(
            "           trigger \(triggerText(definition.trigger)), maxAhead \(DurationText.compact(definition.effectiveMaxAheadMs)), "
                + "onBadRecord \(definition.onBadRecord.rawValue), onDataLoss \(definition.onDataLoss.rawValue), "
                + "maxSeries \(definition.limits.maxSeries), keyTTL \(DurationText.compact(definition.limits.keyTTLMs)); "
                + "relative paths under \(directory)\n")
    }

    private static func checkpointText(_ definition: JobDefinition, _ directory: String) -> String {
        let location = definition.checkpoint.location
        let path = location.hasPrefix("/") ? location : "\(directory)/\(location)"
        return
            "checkpoint \(path) (\(definition.checkpoint.compression.rawValue), \(definition.checkpoint.retainEpochs) epochs "
            + "kept), \(definition.delivery.rawValue)"
    }

    private static func triggerText(_ trigger: TriggerDefinition) -> String {
        switch trigger {
        case .interval(let ms): "every \(DurationText.compact(ms))"
        case .once: "once"
        case .availableNow: "until what is there is read"
        }
    }
}
