import Backtest
import Connectors
import Glibc
import Operators
import Platform
import StreamEngine

extension Command {
    /// `stream-job replay JOB.yaml --output DIR`
    static let replay = Command(
        name: "replay", summary: "run a job over topics or files, offline and to their end", operands: "JOB.yaml",
        details: """
            Reads the job's topics, or files in the source's format (--input; plain, .gz, .zst, .lz4; a directory's files
            are partitions, by name), and writes everything the job would have written into DIR. The same windows as a
            live run, from the same code; joins no group and commits nothing. --from and --to go by the records' own
            times in a topic, by the samples' in files. With --decisions it repeats what a run did, over the offsets it read. --speed 10x paces event time against the clock.
            """,
        flags: [
            Replay.output, ReplayInputs.input, ReplayBounds.from, ReplayBounds.to, Replay.overwrite, Replay.keepOpen,
            Replay.speed, Replay.decisions, Replay.checkpoint, Replay.workers, Backtesting.labels, Backtesting.report,
            .summary, .logFormat, .set,
        ],
        examples: [
            "stream-job replay jobs/node-load.yaml --input metrics=Tests/EndToEndTests/Fixtures/node.prom.zst --output out",
            "stream-job replay jobs/node-load.yaml --input Tests/EndToEndTests/Fixtures/node.prom.zst --output out --overwrite --summary json",
            "stream-job replay jobs/node-load.yaml --output out --from 2026-01-01T06:00:00Z --to 2026-01-01T12:00:00Z",
        ],
        stopsCleanly: true,
        run: Replay.run)
}

extension Flag {
    /// Taken by `run` and `replay`.
    static let summary = Flag.valued(
        "--summary", "FORMAT", "text, or json: also one JSON line, the last on stdout", words: ["text", "json"])
}

/// What `replay` does.
private enum Replay {
    static let output = Flag.valued("--output", "DIR", "where results go; a non-empty one is refused")
    static let overwrite = Flag.option("--overwrite", "replace earlier output in DIR")
    static let keepOpen = Flag.option("--keep-open", "leave out windows that only the end of input closes")
    static let speed = Flag.valued("--speed", "max|Nx", "how fast event time may pass (max)")
    static let checkpoint = Flag.valued(
        "--checkpoint", "DIR", "leave a checkpoint there, for `run` to go on from (topics)")
    static let decisions = Flag.valued(
        "--decisions", "CHECKPOINT", "repeat the run of this checkpoint: its offsets, and what the clock decided in it")
    static let workers = Flag.valued("--workers", "N", "data-plane threads (one a core)")

    @Sendable
    static func run(_ arguments: ParsedArguments, _ console: Console) throws(UsageError) -> Int32 {
        guard let definition = try arguments.loadJob(console) else { return ExitCode.wrongInput }
        guard let directory = arguments.value(output) else {
            throw UsageError("no output directory is given", hint: "--output DIR")
        }
        var options = ExecutionOptions()
        options.workers = try arguments.integer(workers, in: 1...256) ?? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        options.keepOpen = arguments.has(keepOpen)
        options.speed = try parseSpeed(arguments.value(speed))
        // Paced replays look at the clock after every few lines.
        if options.speed != nil { options.sliceBytes = 4096 }
        let inputs = try ReplayInputs(arguments, definition)
        let bounds = try ReplayBounds(arguments)
        if arguments.value(checkpoint) != nil, !inputs.files.isEmpty {
            throw UsageError(
                "--checkpoint needs a replay of topics: lines of a file have no offsets from which a run could go on",
                hint: "leave --input out")
        }
        if arguments.value(decisions) != nil, let input = inputs.files.first {
            throw UsageError(
                "--decisions repeats a run over topics, and source `\(input.source)` has files: the offsets at which the "
                    + "clock decided are those of the topics", hint: "leave --input out")
        }
        options.firstWindowStartMs = bounds.fromMs ?? .min
        for input in inputs.files {
            guard let source = definition.source(input.source) else { continue }
            options.sampleTimesMs[source.name] = bounds.sampleTimesMs(source, of: definition)
        }
        let backtesting = try Backtesting(arguments, definition)
        ProcessMemory.keepFreedPages(workers: options.workers)
        let stop = StopRequest()
        do {
            try Signals.watch(stop) { console.note($0) }
            return try replay(definition, inputs, bounds, directory, options, backtesting, stop, arguments, console)
        } catch let error as UsageError {
            throw error
        } catch {
            return console.showFailure(error)
        }
    }

    private static func replay(
        _ definition: JobDefinition, _ inputs: ReplayInputs, _ bounds: ReplayBounds, _ directory: String,
        _ options: ExecutionOptions, _ backtesting: Backtesting, _ stop: StopRequest, _ arguments: ParsedArguments,
        _ console: Console
    ) throws -> Int32 {
        let asWritten = definition
        var definition = definition
        var recorder: BacktestRecorder?
        if backtesting.isOn {
            let plan = VariantPlan(hearing: definition)
            recorder = BacktestRecorder(
                plan, incidents: backtesting.incidents, keepsTracks: backtesting.reportDirectory != nil)
            definition = plan.job
        }
        let job = try CompiledJob(definition, registries: .standard)
        let run = try recordedRun(asWritten, arguments, console)
        guard let opened = try inputs.open(job, bounds, run: run, stop: stop, say: { console.note($0 + "\n") }) else {
            return Signals.exitCode ?? ExitCode.done
        }
        for note in opened.notes { console.warning(note) }
        let root = try OutputRoot(directory, overwrite: arguments.has(overwrite))
        let sinks = JobSinks(
            definition, registries: .standard, replay: root, writesBehind: options.workers > 1)
        var options = options
        options.incarnation = EpochToken.randomIncarnation()
        let clock = SystemClock()
        var outputs = try sinks.makeOutputs(job)
        if let recorder { outputs.attach(recorder) }
        let execution = JobExecution(
            job: job, outputs: outputs, options: options, clock: clock,
            makeOperator: { PaneWindows(plan: $0, partition: $1, series: $2) })
        execution.recordedRun = run
        if let directory = arguments.value(checkpoint) {
            execution.replayCheckpoint = try ReplayCheckpoint.make(
                directory, asWritten, incarnation: options.incarnation, notice: { Console.logNotice($0) })
        }
        var meter = ReplayMeter(opened.title, console: console, clock: clock)
        var summary = try execution.replay(
            opened.partitions, topics: opened.topics, stop: stop, log: { console.note($0 + "\n") }
        ) { meter.show($0) }
        meter.finish()
        summary.anomalies -= recorder?.copiedRows ?? 0
        SummaryText.show(summary, console)
        if let recorder { try backtesting.finish(recorder, job: definition, console) }
        if let directory = arguments.value(checkpoint), !summary.interrupted {
            console.note("checkpoint left in \(directory): `run` with it as checkpoint.location goes on from there\n")
        }
        if arguments.value(.summary) == "json" { console.out(SummaryText.json(summary) + "\n") }
        guard summary.balances else {
            console.error("the ledger does not balance: a defect of this program; please report it with the summary")
            return ExitCode.failed
        }
        return Signals.exitCode ?? ExitCode.done
    }

    /// The run that is to be repeated; nil where none is.
    private static func recordedRun(
        _ definition: JobDefinition, _ arguments: ParsedArguments, _ console: Console
    ) throws -> RecordedRun? {
        guard let directory = arguments.value(decisions) else { return nil }
        let (run, changes) = try RecordedRun.read(directory, of: definition)
        for change in changes { console.warning("changed since the run: \(change)") }
        for error in run.left { console.warning("\(error): the run is repeated up to the epoch before it") }
        let offsets = run.ends.reduce(Int64(0)) { $0 + max(0, $1.value - (run.starts[$1.key] ?? $1.value)) }
        console.note(
            "repeating the run of \(directory): \(Plural.of(Int(offsets), "offset")) of "
                + "\(Plural.of(run.ends.count, "partition")), \(Plural.of(run.decisionCount, "decision")) of the clock\n"
        )
        return run
    }

    private static func parseSpeed(_ text: String?) throws(UsageError) -> Double? {
        guard let text, text != "max" else { return nil }
        let digits = text.hasSuffix("x") ? String(text.dropLast()) : text
        guard let factor = Double(digits), factor > 0, factor.isFinite else {
            throw UsageError("`--speed` takes max or a factor such as 10x, found `\(text)`")
        }
        return factor
    }
}
