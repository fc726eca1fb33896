import Backtest
import Connectors
import Glibc
import JobFile
import Operators
import Platform
import StreamEngine

extension Command {
    /// `stream-job backtest JOB.yaml --labels FILE --set PATH=V1,V2`
    static let backtest = Command(
        name: "backtest", summary: "rank variants of a job's detectors against labelled incidents",
        operands: "JOB.yaml",
        details: """
            Runs every combination of the values of --set over one read of the input, writes nothing, and ranks them by F1,
            false alarms a day and delay. A value with commas stands in brackets or quotes. Only keys under `queries` may
            differ between variants.
            """,
        flags: [
            Backtesting.labels, ReplayInputs.input, ReplayBounds.from, ReplayBounds.to, Grid.workers, .logFormat, .set,
            .json,
        ],
        examples: [
            "stream-job generate --output /tmp/leaks --mode memory --duration 2h",
            "stream-job backtest jobs/memory-leak.yaml --labels /tmp/leaks/labels.csv --input metrics=/tmp/leaks/metrics --set queries.containers.anomalies.container_memory.for=0s,5m",
            "stream-job backtest jobs/memory-leak.yaml --labels /tmp/leaks/labels.csv --input metrics=/tmp/leaks/metrics --set queries.nodes.window.size=1m,5m --json",
        ],
        stopsCleanly: true,
        run: Grid.run)
}

/// What `backtest` does.
private enum Grid {
    static let workers = Flag.valued("--workers", "N", "data-plane threads (one a core)")

    @Sendable
    static func run(_ arguments: ParsedArguments, _ console: Console) throws(UsageError) -> Int32 {
        let path = try arguments.onlyJob()
        let grid = try VariantGrid(arguments.values(.set))
        var variants: [JobDefinition] = []
        let loader = JobFileLoader(.standard)
        for overrides in grid.overrides {
            let checked = loader.load(path, overrides: overrides)
            if variants.isEmpty || checked.definition == nil { console.show(checked) }
            guard let definition = checked.definition else { return ExitCode.wrongInput }
            variants.append(definition)
        }
        guard let first = variants.first else { return ExitCode.wrongInput }
        for (overrides, variant) in zip(grid.overrides, variants) where !sharesInput(variant, first) {
            throw UsageError(
                "variant `\(grid.name(overrides))` reads its input otherwise: variants share one read",
                hint: "let keys under `queries` differ, and run the command once for each of the others")
        }
        let backtesting = try Backtesting(arguments, first)
        guard backtesting.hasLabels else {
            throw UsageError("no labelled incidents are given to rank the variants by", hint: "--labels incidents.csv")
        }
        let inputs = try ReplayInputs(arguments, first)
        let bounds = try ReplayBounds(arguments)
        var options = ExecutionOptions()
        options.workers = try arguments.integer(workers, in: 1...256) ?? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        let stop = StopRequest()
        do {
            try Signals.watch(stop) { console.note($0) }
            let plan = VariantPlan(comparing: variants)
            let recorder = BacktestRecorder(plan, incidents: backtesting.incidents, keepsTracks: false)
            let isWhole = try replay(plan.job, recorder, inputs, bounds, options, stop, console)
            guard isWhole else {
                console.note("stopped: variants are ranked when they have seen everything\n")
                return Signals.exitCode ?? ExitCode.done
            }
            let names = grid.overrides.map(grid.name)
            if arguments.has(.json) {
                console.out(json(recorder, names).text + "\n")
            } else {
                console.out(ScoreText.ranking(recorder, names: names))
            }
            return ExitCode.done
        } catch let error as UsageError {
            throw error
        } catch {
            return console.showFailure(error)
        }
    }

    /// Whether two variants differ in their queries only.
    private static func sharesInput(_ a: JobDefinition, _ b: JobDefinition) -> Bool {
        var (a, b) = (a, b)
        a.queries = []
        b.queries = []
        return a == b
    }

    /// Runs all variants at once; false when it was stopped before the end.
    private static func replay(
        _ definition: JobDefinition, _ recorder: BacktestRecorder, _ inputs: ReplayInputs, _ bounds: ReplayBounds,
        _ options: ExecutionOptions, _ stop: StopRequest, _ console: Console
    ) throws -> Bool {
        var options = options
        options.firstWindowStartMs = bounds.fromMs ?? .min
        for source in definition.sources {
            options.sampleTimesMs[source.name] =
                inputs.files.contains { $0.source == source.name } ? bounds.sampleTimesMs(source, of: definition) : nil
        }
        let job = try CompiledJob(definition, registries: .standard)
        guard let opened = try inputs.open(job, bounds, stop: stop, say: { console.note($0 + "\n") }) else {
            return false
        }
        for note in opened.notes { console.warning(note) }
        var outputs = JobOutputs(
            queries: definition.queries.map { query in
                QueryOutputs(sinks: [], late: nil, anomalies: query.anomalies.map { _ in [] })
            }, deadLetter: nil, encodeLate: { _, _, _ in [] }, encodeDeadLetter: { _, _ in [] })
        outputs.attach(recorder)
        let clock = SystemClock()
        let execution = JobExecution(
            job: job, outputs: outputs, options: options, clock: clock,
            makeOperator: { PaneWindows(plan: $0, partition: $1, series: $2) })
        var meter = ReplayMeter(opened.title, console: console, clock: clock)
        let summary = try execution.replay(
            opened.partitions, topics: opened.topics, stop: stop, log: { console.note($0 + "\n") }
        ) { meter.show($0) }
        meter.finish()
        guard !summary.interrupted else { return false }
        console.note(
            "\(Plural.of(recorder.lanes.count, "variant")) over \(Plural.of(summary.samples, "sample")) in "
                + "\(FigureText.duration(seconds: summary.seconds)), "
                + "\(Plural.of(recorder.incidents.count, "labelled incident"))\n")
        return true
    }

    private static func json(_ recorder: BacktestRecorder, _ names: [String]) -> JSONValue {
        .object([
            (
                "variants",
                .array(
                    recorder.ranking.enumerated().map { place, variant in
                        let scores = recorder.scores(of: variant)
                        let detectors = zip(recorder.lanes[variant], scores.each).map { lane, score in
                            JSONValue.object(
                                [("query", .string(lane.query)), ("detector", .string(lane.detector))]
                                    + ReportDocument.members(score))
                        }
                        return .object([
                            ("rank", .integer(place + 1)), ("variant", .string(names[variant])),
                            ("all", .object(ReportDocument.members(scores.all))), ("detectors", .array(detectors)),
                        ])
                    })
            )
        ])
    }
}
