import Connectors
import Generator
import Glibc
import Platform
import StreamEngine

extension Command {
    /// `stream-job generate`
    static let generate = Command(
        name: "generate", summary: "make metrics and cluster events, with labelled incidents", operands: "",
        details: """
            Nodes with CPUs, memory, disks, containers, HTTP services and Spark executors, as their exporters tell of
            them; into a topic (one message a scrape, keyed by node) at the clock's pace until stopped, or into files.
            The same settings and --seed give the same bytes. --mode lets something go wrong in every period; --labels
            says when, where and what. --from-file feeds a capture instead: its times are shifted to now, or kept with
            --as-is.
            """,
        flags: [
            Generate.brokers, Generate.topic, Generate.eventsTopic, Generate.output, Generate.mode, Generate.rate,
            Generate.series, Generate.interval, Generate.duration, Generate.start, Generate.seed, Generate.disorder,
            Generate.lateness, Generate.partitions, Generate.format, Generate.labels, Generate.fromFile,
            Generate.speed, Generate.asIs,
        ],
        examples: [
            "stream-job generate --output /tmp/generated --mode memory --duration 2h --seed 7",
            "stream-job generate --topic metrics --events-topic cluster-events --mode slow --interval 1s --duration 10s",
            "stream-job generate --output /tmp/disorder --disorder 0.05 --lateness 20s --partitions 4 --duration 10m",
        ],
        stopsCleanly: true,
        run: Generate.run)
}

/// What `generate` does.
private enum Generate {
    static let brokers = Flag.valued("--brokers", "HOST:PORT", "the cluster (KAFKA_BROKERS, else localhost:9092)")
    static let topic = Flag.valued("--topic", "NAME", "topic of the metrics, made if missing (metrics)")
    static let eventsTopic = Flag.valued("--events-topic", "NAME", "topic of the cluster's events (none)")
    static let output = Flag.valued("--output", "DIR", "write files there and no topic")
    static let mode = Flag.valued(
        "--mode", "MODE", "normal, memory, slow, skewed or failure (normal)",
        words: WorkloadMode.allCases.map(\.rawValue))
    static let rate = Flag.valued("--rate", "N", "samples a second of event time: sets --interval")
    static let series = Flag.valued("--series", "N", "series in all (350; 35 a node)")
    static let interval = Flag.valued("--interval", "DURATION", "time between samples of a series (15s)")
    static let duration = Flag.valued("--duration", "DURATION", "event time to cover (files: 1h; topics: no end)")
    static let start = Flag.valued("--start", "TIME", "time of the first sample (files: 2026-01-01; topics: now)")
    static let seed = Flag.valued("--seed", "N", "where the random numbers begin (1)")
    static let disorder = Flag.valued("--disorder", "SHARE", "share of samples that come behind later ones, 0 to 1 (0)")
    static let lateness = Flag.valued("--lateness", "DURATION", "how far behind at most (10s)")
    static let partitions = Flag.valued("--partitions", "N", "of a new topic, or files (1)")
    static let format = Flag.valued(
        "--format", "FORMAT", "prometheus, openmetrics or sample-json (prometheus)",
        words: WorkloadFormat.allCases.map(\.rawValue))
    static let labels = Flag.valued("--labels", "FILE", "write the incidents there (files: DIR/labels.csv)")
    static let fromFile = Flag.valued("--from-file", "FILE", "feed this capture (plain, .gz, .zst, .lz4) to the topic")
    static let speed = Flag.valued("--speed", "max|Nx", "pace of event time (files: max; topics: 1x)")
    static let asIs = Flag.option("--as-is", "keep a capture's times")

    @Sendable
    static func run(_ arguments: ParsedArguments, _ console: Console) throws(UsageError) -> Int32 {
        if let extra = arguments.positionals.first {
            throw UsageError("`generate` takes no operand, found `\(extra)`", hint: "see stream-job generate --help")
        }
        let settings = try settings(arguments)
        let speed = try parseSpeed(arguments)
        let partitions = try arguments.integer(partitions, in: 1...10_000)
        if arguments.has(fromFile) {
            for flag in [
                output, mode, rate, series, interval, duration, start, seed, disorder, lateness, labels, eventsTopic,
            ]
            where arguments.has(flag) {
                throw UsageError("`\(flag.name)` and `--from-file` exclude each other")
            }
            try requireFile(arguments.value(fromFile) ?? "")
        } else if arguments.has(asIs) {
            throw UsageError("`--as-is` goes with `--from-file`")
        }
        if arguments.has(output) {
            for flag in [brokers, topic, eventsTopic] where arguments.has(flag) {
                throw UsageError("`\(flag.name)` and `--output` exclude each other")
            }
        }
        let stop = StopRequest()
        do {
            try Signals.watch(stop) { _ in console.note("stopping\n") }
            try generate(settings, speed, partitions, arguments, stop, console)
            return Signals.exitCode ?? ExitCode.done
        } catch let error as UsageError {
            throw error
        } catch {
            return console.showFailure(error)
        }
    }

    private static func requireFile(_ path: String) throws(UsageError) {
        let status: FileStatus?
        do throws(IOFailure) {
            status = try PosixFileSystem().status(path)
        } catch {
            throw UsageError("`--from-file`: \(error)")
        }
        guard let status else { throw UsageError("`--from-file`: nothing is at \(path)") }
        guard status.kind != .directory else {
            throw UsageError("`--from-file` takes one file, and \(path) is a directory")
        }
    }

    private static func generate(
        _ settings: WorkloadSettings, _ speed: Double?, _ partitions: Int?, _ arguments: ParsedArguments,
        _ stop: StopRequest, _ console: Console
    ) throws {
        var settings = settings
        var labelsPath = arguments.value(labels)
        let target: any WorkloadTarget
        if let directory = arguments.value(output) {
            settings.partitions = partitions ?? 1
            target = try FilesTarget(
                directory: directory, partitions: settings.partitions, format: settings.format)
            labelsPath = labelsPath ?? FilePath.join(directory, "labels.csv")
        } else {
            let topics = try TopicTarget(
                brokers: arguments.value(brokers) ?? getenv("KAFKA_BROKERS").map { String(cString: $0) }
                    ?? "localhost:9092",
                topic: arguments.value(topic) ?? "metrics", eventsTopic: arguments.value(eventsTopic),
                partitions: partitions)
            settings.partitions = topics.partitions
            target = topics
        }
        var meter = GenerateMeter(console)
        let samples: Int
        if let file = arguments.value(fromFile) {
            let feed = CaptureFeed(
                path: file, format: settings.format, partitions: settings.partitions, speed: speed,
                restamps: !arguments.has(asIs))
            samples = try feed.run(into: target, stop) { meter.show($0) }
        } else {
            let labels = try labelsPath.map { try LabelsFile($0) }
            let feed = WorkloadFeed(settings: settings, speed: speed, labels: labels)
            samples = try feed.run(into: target, stop, announce: { meter.note($0) }, progress: { meter.show($0) })
            try labels?.close()
        }
        try target.finish()
        meter.finish(samples, target.description)
    }

    private static func settings(_ arguments: ParsedArguments) throws(UsageError) -> WorkloadSettings {
        let isFiles = arguments.has(output)
        var settings = WorkloadSettings()
        settings.seed = UInt64(try arguments.integer(seed, in: 0...Int.max) ?? 1)
        settings.mode = arguments.value(mode).flatMap { WorkloadMode(rawValue: $0) } ?? .normal
        settings.format = arguments.value(format).flatMap { WorkloadFormat(rawValue: $0) } ?? .prometheus
        settings.series = try arguments.integer(series, in: 1...1_000_000) ?? settings.series
        settings.intervalMs = try arguments.durationMs(interval) ?? settings.intervalMs
        if let rate = try arguments.integer(rate, in: 1...100_000_000) {
            guard !arguments.has(interval) else {
                throw UsageError("`--rate` and `--interval` exclude each other", hint: "rate = series / interval")
            }
            // Too few series for such a rate: more of them.
            if !arguments.has(series) { settings.series = max(settings.series, min(rate / 10, 1_000_000)) }
            settings.intervalMs = max(1, Int64(settings.series) * 1000 / Int64(rate))
        }
        settings.durationMs = try arguments.durationMs(duration) ?? (isFiles ? 3_600_000 : nil)
        settings.startMs =
            try arguments.timeMs(start) ?? (isFiles ? 1_767_225_600_000 : SystemClock().wallMs())
        settings.latenessMs = try arguments.durationMs(lateness) ?? settings.latenessMs
        if let text = arguments.value(disorder) {
            guard let share = Double(text), (0...1).contains(share) else {
                throw UsageError("`--disorder` takes a share from 0 to 1, found `\(text)`")
            }
            settings.disorder = share
        }
        // A file is one page: types stand at its top; a message is a page of its own.
        settings.declaresTypesAlways = !isFiles || settings.format == .openmetrics
        return settings
    }

    private static func parseSpeed(_ arguments: ParsedArguments) throws(UsageError) -> Double? {
        guard let text = arguments.value(speed) else { return arguments.has(output) ? nil : 1 }
        if text == "max" { return nil }
        guard let factor = Double(text.hasSuffix("x") ? String(text.dropLast()) : text), factor > 0, factor.isFinite
        else { throw UsageError("`--speed` takes max or a factor such as 10x, found `\(text)`") }
        return factor
    }
}

extension ParsedArguments {
    /// A flag's value as a duration above 0, in ms.
    func durationMs(_ flag: Flag) throws(UsageError) -> Int64? {
        guard let text = value(flag) else { return nil }
        guard let ms = DurationText.parseMs(text), ms > 0 else {
            throw UsageError("`\(flag.name)` takes a duration above 0, found `\(text)`", hint: "such as 15s or 1h30m")
        }
        return ms
    }
}
