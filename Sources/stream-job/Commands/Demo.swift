import Connectors
import EmbeddedBroker
import Generator
import Glibc
import JobFile
import Operators
import Platform
import StreamEngine

extension Command {
    /// `stream-job demo`
    static let demo = Command(
        name: "demo", summary: "see it work: broker, generator and a job in one process", operands: "",
        details: """
            Starts an embedded Kafka broker in memory, writes the metrics of four nodes into it, and runs a job over
            them: how busy each node is, in windows of 5 s every second. One of the nodes gets into trouble, which the
            generator announces. Needs nothing; Ctrl-C ends it at any time and leaves nothing behind. A whole run leaves
            the job and its input as files in the temporary directory, with commands to try on them.
            """,
        flags: [Demo.seconds, Demo.seed, .json],
        examples: [
            "stream-job demo", "stream-job demo --seconds 60 --seed 7", "stream-job demo --seconds 10 --json",
        ],
        stopsCleanly: true,
        run: Demo.run)
}

/// What `demo` does.
private enum Demo {
    static let seconds = Flag.valued("--seconds", "N", "how long (30)")
    static let seed = Flag.valued("--seed", "N", "where the random numbers begin (1)")
    /// Event time written at once before the clock's pace begins.
    static let historyMs: Int64 = 6000

    @Sendable
    static func run(_ arguments: ParsedArguments, _ console: Console) throws(UsageError) -> Int32 {
        if let extra = arguments.positionals.first { throw UsageError("`demo` takes no operand, found `\(extra)`") }
        var settings = WorkloadSettings()
        settings.seed = UInt64(try arguments.integer(seed, in: 0...Int.max) ?? 1)
        settings.mode = .slow
        settings.intervalMs = 1000
        settings.series = 140
        settings.durationMs = Int64(try arguments.integer(seconds, in: 2...86_400) ?? 30) * 1000
        let stop = StopRequest()
        do {
            try Signals.watch(stop) { _ in console.note("stopping\n") }
            return try run(settings, stop, isJSON: arguments.has(.json), console)
        } catch {
            return console.showFailure(error)
        }
    }

    private static func run(
        _ settings: WorkloadSettings, _ stop: StopRequest, isJSON: Bool, _ console: Console
    ) throws -> Int32 {
        var configuration = BrokerConfiguration()
        configuration.topics = [.init("metrics", partitions: 2), .init("cluster-events")]
        let broker = EmbeddedBroker(configuration)
        let port = try broker.start()
        defer { broker.stop() }
        let brokers = "127.0.0.1:\(port)"
        let checked = JobFileLoader(.standard).load(
            SourceText(file: "demo.yaml", text: DemoJob.text), overrides: ["kafka.brokers=\(brokers)"])
        guard let definition = checked.definition else {
            console.show(checked)
            return ExitCode.failed
        }
        announce(settings, brokers, console)
        let nowMs = SystemClock().wallMs() / 1000 * 1000
        var settings = settings
        // A little history, so that the first windows shown are full.
        settings.startMs = nowMs - historyMs
        settings.durationMs = settings.durationMs.map { $0 + historyMs }
        let board = DemoBoard(console, settings, isJSON: isJSON)
        let execution = try makeExecution(
            CompiledJob(definition, registries: .standard), board, DemoFindings(console, isJSON: isJSON))
        let source = try KafkaSources.live(definition) { Console.logKafka($0) }
        let feed = try DemoFeed(
            settings, brokers: brokers, topic: "metrics", eventsTopic: "cluster-events", pacedFromMs: nowMs, stop,
            announce: { DemoBoard.announce($0, console, isJSON: isJSON) })
        var summary = try run(execution, source, until: feed, stop)
        summary.interrupted = Signals.exitCode != nil
        console.note("\n" + SummaryText.people(summary))
        contrast(board, settings, console)
        if isJSON { console.out(SummaryText.json(summary) + "\n") }
        if let code = Signals.exitCode { return code }
        try leave(settings, console)
        return ExitCode.done
    }

    private static func makeExecution(
        _ job: CompiledJob, _ board: DemoBoard, _ findings: DemoFindings
    ) -> JobExecution {
        let last = job.queries.count - 1
        var outputs = JobOutputs(
            queries: job.queries.enumerated().map { index, query in
                QueryOutputs(
                    sinks: [DemoSink(board, shows: index == last)], late: nil,
                    anomalies: query.anomalies.map { _ in [findings] })
            }, deadLetter: nil, encodeLate: { _, _, _ in [] }, encodeDeadLetter: { _, _ in [] })
        outputs.anomalies = .anomalies
        var options = ExecutionOptions()
        options.incarnation = EpochToken.randomIncarnation()
        return JobExecution(
            job: job, outputs: outputs, options: options, clock: SystemClock(),
            makeOperator: { PaneWindows(plan: $0, partition: $1, series: $2) })
    }

    /// Runs until every sample of the feed is taken, the feed fails, or somebody asks for a stop.
    private static func run(
        _ execution: JobExecution, _ source: any LiveSource, until feed: DemoFeed, _ stop: StopRequest
    ) throws -> JobSummary {
        var taken = 0
        execution.onProgress = { progress in
            taken += progress.samples
            switch feed.end {
            case .done(let samples): if taken >= samples { stop.request() }
            case .failed: stop.request()
            case nil: break
            }
        }
        let result = Result { try execution.run(source, end: .never, stop: stop) { _ in } }
        stop.request()
        if case .failed(let error) = feed.wait() { throw error }
        return try result.get()
    }

    private static func announce(_ settings: WorkloadSettings, _ brokers: String, _ console: Console) {
        let seconds = DurationText.spaced(settings.durationMs ?? 0)
        console.note(
            """
            broker     \(brokers), in memory, speaking Kafka's protocol
            generator  \(Workload(settings).nodeCount) nodes, \(settings.series) series, a sample of each every second, \
            into the topic metrics (2 partitions)
            job        busy: 1 - avg(rate(idle CPU seconds)) of each node; requests/s and p99 from a histogram's
                       buckets; windows of 5 s every 1 s, final 1 s after their end
            detectors  a node that differs from its peers; p99 over 600 ms
            runs for \(seconds); Ctrl-C ends it

            """)
    }

    private static func contrast(_ board: DemoBoard, _ settings: WorkloadSettings, _ console: Console) {
        for incident in Workload(settings).incidents(before: settings.endMs) {
            guard let contrast = board.contrast(incident) else { continue }
            func percent(_ share: Double) -> String { "\(FigureText.decimals(share * 100, 0)) %" }
            console.note(
                "  incident node-\(incident.node + 1) was \(percent(contrast.inside)) busy in windows within it, "
                    + "\(percent(contrast.outside)) outside\n")
        }
    }

    /// Leaves the job and its input as files, and says what can be done with them.
    private static func leave(_ settings: WorkloadSettings, _ console: Console) throws {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array(FilePath.join(parent, "stream-job-demo-XXXXXX").utf8CString)
        guard let made = mkdtemp(&template) else {
            console.warning("no directory can be made in \(parent): \(String(cString: strerror(errno)))")
            return
        }
        let directory = String(cString: made)
        var settings = settings
        settings.declaresTypesAlways = false
        let target = try FilesTarget(directory: directory, partitions: 1, format: .prometheus)
        let labels = try LabelsFile("\(directory)/labels.csv")
        let feed = WorkloadFeed(settings: settings, speed: nil, labels: labels)
        _ = try feed.run(into: target, StopRequest(), announce: { _ in }, progress: { _ in })
        try target.finish()
        try labels.close()
        let job = try PosixFileSystem().open("\(directory)/job.yaml", .replace)
        try job.writeAll(Array(DemoJob.text.utf8))
        try job.close()
        let program = CommandLine.arguments.first ?? "stream-job"
        console.note(
            """

            The job and its input are in \(directory). Try next:
              \(program) explain \(directory)/job.yaml
              \(program) replay \(directory)/job.yaml --input metrics=\(directory)/metrics --output \(directory)/out
              \(program) generate --mode memory --duration 2h --output \(directory)/memory

            """)
    }
}
