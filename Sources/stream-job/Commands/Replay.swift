import Connectors
import Glibc
import Operators
import Platform
import StreamEngine

extension Command {
    /// `stream-job replay JOB.yaml --input SOURCE=PATH --output DIR`
    static let replay = Command(
        name: "replay", summary: "run a job over files, offline and to their end", operands: "JOB.yaml",
        details: """
            Reads files in the source's format (plain, .gz, .zst, .lz4; a directory's files are partitions, by name) and
            writes everything the job would have written into DIR. The same windows as a live run, from the same code;
            joins no group and commits nothing. --speed 10x paces event time against the clock.
            """,
        flags: [
            Replay.output, Replay.input, Replay.overwrite, Replay.keepOpen, Replay.speed, Replay.workers, .summary,
            .set,
        ],
        examples: [
            "stream-job replay jobs/node-load.yaml --input metrics=Tests/EndToEndTests/Fixtures/node.prom.zst --output out",
            "stream-job replay jobs/node-load.yaml --input captures/ --output out --overwrite --summary json",
        ],
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
    static let input = Flag.valued(
        "--input", "SOURCE=PATH", "files of a source; PATH alone where the job has one source", isRepeatable: true)
    static let overwrite = Flag.option("--overwrite", "replace earlier output in DIR")
    static let keepOpen = Flag.option("--keep-open", "leave out windows that only the end of input closes")
    static let speed = Flag.valued("--speed", "max|Nx", "how fast event time may pass (max)")
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
        let inputs = try parseInputs(arguments.values(input), definition)
        let stop = StopRequest()
        Signals.watch(stop) { console.note($0) }
        do {
            return try replay(definition, inputs, directory, options, stop, arguments, console)
        } catch let error as UsageError {
            throw error
        } catch {
            return console.showFailure(error)
        }
    }

    private static func replay(
        _ definition: JobDefinition, _ inputs: [(source: String, path: String)], _ directory: String,
        _ options: ExecutionOptions, _ stop: StopRequest, _ arguments: ParsedArguments, _ console: Console
    ) throws -> Int32 {
        let job = try CompiledJob(definition, registries: .standard)
        var readers: [(source: String, readers: [any PartitionReader])] = []
        for input in inputs {
            if let format = job.formats[input.source], !format.isLineBased {
                throw UsageError(
                    "source `\(input.source)` is \(format.name): such messages are binary and cannot be read from files of lines",
                    hint: "replay the topic itself, or files in a text format")
            }
            let partitions = try FileInput.partitions(
                source: input.source, path: input.path, maxLineBytes: definition.limits.maxLineBytes)
            readers.append((input.source, partitions))
        }
        let root = try OutputRoot(directory, overwrite: arguments.has(overwrite))
        let sinks = JobSinks(definition, registries: .standard, replay: root)
        var options = options
        options.incarnation = EpochToken.randomIncarnation()
        let clock = SystemClock()
        let execution = JobExecution(
            job: job, outputs: try sinks.makeOutputs(job), options: options, clock: clock,
            makeOperator: { PaneWindows(plan: $0, partition: $1, series: $2) })
        var meter = ReplayMeter(title(inputs, readers), console: console, clock: clock)
        let summary = try execution.replay(readers, stop: stop) { meter.show($0) }
        meter.finish()
        console.note(SummaryText.people(summary))
        if arguments.value(.summary) == "json" { console.out(SummaryText.json(summary) + "\n") }
        guard summary.balances else {
            console.error("the ledger does not balance: a defect of this program; please report it with the summary")
            return ExitCode.failed
        }
        return Signals.exitCode ?? ExitCode.done
    }

    private static func title(
        _ inputs: [(source: String, path: String)], _ readers: [(source: String, readers: [any PartitionReader])]
    ) -> String {
        let files = readers.reduce(0) { $0 + $1.readers.count }
        let bytes = readers.flatMap(\.readers).compactMap(\.progress).reduce(Int64(0)) { $0 + $1.total }
        return
            "\(inputs.map(\.source).joined(separator: ", ")): \(Plural.of(files, "file")), \(FigureText.bytes(bytes))"
    }

    private static func parseSpeed(_ text: String?) throws(UsageError) -> Double? {
        guard let text, text != "max" else { return nil }
        let digits = text.hasSuffix("x") ? String(text.dropLast()) : text
        guard let factor = Double(digits), factor > 0, factor.isFinite else {
            throw UsageError("`--speed` takes max or a factor such as 10x, found `\(text)`")
        }
        return factor
    }

    private static func parseInputs(
        _ texts: [String], _ definition: JobDefinition
    ) throws(UsageError) -> [(source: String, path: String)] {
        let used = definition.sources.filter { source in definition.queries.contains { $0.from == source.name } }
        var inputs: [(source: String, path: String)] = []
        for text in texts {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            if parts.count == 2, definition.source(parts[0]) != nil {
                inputs.append((parts[0], parts[1]))
            } else if parts.count == 1 || text.contains("/"), used.count == 1 {
                inputs.append((used[0].name, text))
            } else {
                let names = definition.sources.map(\.name)
                let near = Suggestion.nearest(parts[0], among: names)
                throw UsageError(
                    "`--input \(text)` names no source of the job",
                    hint: near.map { "did you mean `\($0)`?" } ?? "sources: \(names.joined(separator: ", "))")
            }
        }
        for name in inputs.map(\.source) where inputs.count(where: { $0.source == name }) > 1 {
            throw UsageError("source `\(name)` has several inputs", hint: "put the files into one directory")
        }
        for source in used where !inputs.contains(where: { $0.source == source.name }) {
            throw UsageError("source `\(source.name)` has no input", hint: "--input \(source.name)=FILE_OR_DIRECTORY")
        }
        return inputs.filter { input in used.contains { $0.name == input.source } }
    }
}
