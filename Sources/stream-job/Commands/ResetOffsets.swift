import Connectors
import Glibc
import JobFile
import Platform
import StreamEngine

/// `stream-job checkpoint reset-offsets`: a stopped job goes back to a time.
enum ResetOffsets {
    static let to = Flag.valued("--to", "TIME", "reset-offsets: the time to go back to (RFC 3339)")
    static let yes = Flag.option("--yes", "reset-offsets: do not ask")
    static let job = Flag.valued("--job", "JOB.yaml", "reset-offsets: the job, where its checkpoint directory is given")
    static let group = Flag.valued("--group", "NAME", "reset-offsets: another consumer group than the job's")
    static let flags = [to, yes, job, group, .set]

    static func run(_ arguments: ParsedArguments, _ console: Console) throws(UsageError) -> Int32 {
        let usage = "stream-job checkpoint reset-offsets JOB.yaml --to TIME"
        guard arguments.positionals.count == 2 else {
            throw UsageError(
                arguments.positionals.count < 2 ? "no job file is given" : "one job file is expected", hint: usage)
        }
        guard let toMs = try arguments.timeMs(to) else { throw UsageError("`--to` is not given", hint: usage) }
        if arguments.has(.json), !arguments.has(yes) {
            throw UsageError("`--json` does not ask", hint: "add --yes, or look first without --json")
        }
        let path = arguments.value(job) ?? arguments.positionals[1]
        let checked = JobFileLoader(.standard).load(path, overrides: arguments.values(.set))
        console.show(checked)
        guard var definition = checked.definition else { return ExitCode.wrongInput }
        if let name = arguments.value(group) { definition.group = name }
        if arguments.has(job) { definition.checkpoint.location = arguments.positionals[1] }
        guard definition.kafka.brokers != nil else {
            throw UsageError(
                "job \(definition.name) names no Kafka cluster",
                hint: "kafka: {brokers: host:9092}, or --set kafka.brokers=…")
        }
        guard definition.delivery != .none else {
            throw UsageError("job \(definition.name) has `delivery: none`: it commits nothing that could be reset")
        }
        let stop = StopRequest()
        do {
            try Signals.watch(stop) { _ in }
            return try run(definition, toMs, stop, arguments, console)
        } catch let error as UsageError {
            throw error
        } catch {
            return console.showFailure(error)
        }
    }

    private static func run(
        _ definition: JobDefinition, _ toMs: Int64, _ stop: StopRequest, _ arguments: ParsedArguments,
        _ console: Console
    ) throws -> Int32 {
        guard
            let reset = try OffsetReset.prepare(
                definition, registries: .standard, toMs: toMs, stop: stop, log: { console.note("\($0)\n") },
                kafkaLog: { Console.logKafka($0) })
        else { return Signals.exitCode ?? ExitCode.failed }
        defer { reset.close() }
        let text = ResetText(definition, reset, toMs: toMs)
        guard reset.isNeeded else {
            console.out(arguments.has(.json) ? text.json(setAside: nil) + "\n" : text.nothing)
            return ExitCode.done
        }
        if !arguments.has(.json) { console.out(text.plan) }
        guard try arguments.has(yes) || isConfirmed(stop, console) else {
            console.note("nothing was changed\n")
            return Signals.exitCode ?? ExitCode.failed
        }
        let place = try reset.carryOut()
        console.out(arguments.has(.json) ? text.json(setAside: place) + "\n" : text.done(setAside: place))
        return ExitCode.done
    }

    /// Asks at the terminal. Only `y` and `yes` are yes.
    private static func isConfirmed(_ stop: StopRequest, _ console: Console) throws -> Bool {
        guard isatty(STDIN_FILENO) == 1 else {
            throw UsageError("nobody can be asked: stdin is no terminal", hint: "--yes does it without asking")
        }
        console.note("go back? [y/N] ")
        var line: [UInt8] = []
        while !stop.isRequested {
            var ready = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            guard poll(&ready, 1, 200) > 0 else { continue }
            var byte: UInt8 = 0
            guard read(STDIN_FILENO, &byte, 1) == 1, byte != UInt8(ascii: "\n") else { break }
            line.append(byte)
        }
        return ["y", "yes"].contains(String(decoding: line, as: UTF8.self).lowercased())
    }
}
