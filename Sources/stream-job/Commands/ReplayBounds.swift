import Connectors
import JobFile
import StreamEngine

/// `--from` and `--to` of a replay: the rows wanted, and what must be read for them (SEMANTICS §7).
struct ReplayBounds {
    static let from = Flag.valued(
        "--from", "T", "windows that start at T (RFC 3339) or later; what they need is read from before T")
    static let to = Flag.valued("--to", "T", "input up to T, exclusive; without: what is there at the start")

    let fromMs: Int64?
    let toMs: Int64?

    init(_ arguments: ParsedArguments) throws(UsageError) {
        fromMs = try Self.time(Self.from, arguments)
        toMs = try Self.time(Self.to, arguments)
        if let fromMs, let toMs, fromMs >= toMs {
            throw UsageError(
                "`--from` (\(EventTime.rfc3339(fromMs))) is not before `--to` (\(EventTime.rfc3339(toMs)))")
        }
    }

    private static func time(_ flag: Flag, _ arguments: ParsedArguments) throws(UsageError) -> Int64? {
        guard let text = arguments.value(flag) else { return nil }
        guard let time = EventTime.parseRFC3339(text) else {
            throw UsageError(
                "`\(flag.name)` takes an RFC 3339 time, found `\(text)`", hint: "such as 2026-01-01T00:00:00Z")
        }
        return time
    }

    /// From when a source is read so that windows from `--from` on are whole: earlier by the largest window of its queries
    /// with its lateness, and the watermark's delay.
    func readFromMs(_ source: SourceDefinition, of job: JobDefinition) -> Int64? {
        guard let fromMs else { return nil }
        let reach = job.queries.filter { $0.from == source.name }.map { $0.window.sizeMs + $0.allowedLatenessMs }.max()
        return EventTime.difference(fromMs, (reach ?? 0) + source.watermark.delayMs)
    }

    /// The event times taken from files of a source; nil: all.
    func sampleTimesMs(_ source: SourceDefinition, of job: JobDefinition) -> Range<Int64>? {
        guard fromMs != nil || toMs != nil else { return nil }
        return (readFromMs(source, of: job) ?? .min)..<(toMs ?? .max)
    }

    /// The same for topics, by the records' own times.
    func topicBounds(
        _ sources: [SourceDefinition], of job: JobDefinition, run: RecordedRun? = nil
    ) -> KafkaReplay.Bounds {
        var bounds = KafkaReplay.Bounds(toMs: toMs, run: run)
        for source in sources { bounds.fromMs[source.name] = readFromMs(source, of: job) }
        return bounds
    }
}
