import Connectors
import StreamEngine

/// A reset for people and as JSON.
struct ResetText {
    private let definition: JobDefinition
    private let reset: OffsetReset
    private let toMs: Int64

    init(_ definition: JobDefinition, _ reset: OffsetReset, toMs: Int64) {
        self.definition = definition
        self.reset = reset
        self.toMs = toMs
    }

    private var time: String { EventTime.rfc3339(toMs) }

    /// Where there is nothing to do.
    var nothing: String {
        "nothing to reset: group \(definition.group) is not after \(time), by its watermarks\n"
    }

    /// What will change.
    var plan: String {
        var text = "job \(definition.name), group \(definition.group), checkpoint \(definition.checkpoint.location): "
        text += "back to \(time)\n"
        for position in reset.plan.positions { text += line(position) }
        let empty = reset.plan.positions.filter { $0.epoch == nil && $0.isIncomplete }
        if !empty.isEmpty {
            let reach = reset.plan.reachMs.map { "the oldest kept epoch is at \(EventTime.rfc3339($0))" }
            text += "no kept, whole epoch is at or before that time for \(empty.count) of "
            text +=
                "\(Plural.of(reset.plan.positions.count, "partition"))\(reach.map { " (\($0))" } ?? ""): they begin "
            text += "with empty state\n"
            for source in Set(empty.map(\.partition.source)).sorted() {
                let from = reset.readFromMs[source].map(EventTime.rfc3339) ?? time
                text +=
                    "  source \(source): read from \(from) (Kafka's time of records) on; windows that begin before that "
                text += "are incomplete, and written so\n"
            }
        }
        if reset.plan.positions.contains(where: \.isInDoubt) {
            text +=
                "the group's offsets do not tell whether that epoch took effect: if it did not, its rows are missing in "
            text += "Kafka topics\n"
        }
        text += "rows of windows that end after \(time) are written again by the next run: readers see them twice\n"
        let count = reset.plan.newerFiles.count
        if count > 0 { text += "\(Plural.of(count, "file")) of newer epochs will be moved aside\n" }
        return text
    }

    private func line(_ position: RewindPlan.Position) -> String {
        let old = position.old.map { "\($0.offset)" } ?? "none"
        guard position.isChange else { return "  \(position.partition)   offset \(old), stays\n" }
        var text = "  \(position.partition)   offset \(old) -> \(position.new.offset)"
        if let epoch = position.epoch {
            text += "   epoch \(epoch)"
            text += position.watermarkMs.map { ", watermark \(EventTime.rfc3339($0))" } ?? ", no watermark yet"
            text += position.writtenMs.map { ", written \(EventTime.rfc3339($0))" } ?? ""
        } else {
            text += "   empty state"
        }
        return text + "\n"
    }

    /// What was done.
    func done(setAside place: String?) -> String {
        let count = reset.plan.positions.filter(\.isChange).count
        var text = "group \(definition.group): \(Plural.of(count, "offset")) committed"
        if let place { text += "; newer epochs are kept in \(place)" }
        return text + "\nstart the job to go on from there\n"
    }

    /// One object.
    func json(setAside place: String?) -> String {
        JSONValue.object([
            ("job", .string(definition.name)), ("group", .string(definition.group)), ("to", .string(time)),
            (
                "partitions",
                .array(
                    reset.plan.positions.map { position in
                        .object([
                            ("source", .string(position.partition.source)),
                            ("topic", .string(position.partition.topic)),
                            ("partition", .integer(Int(position.partition.partition))),
                            ("oldOffset", position.old.map { .integer(Int($0.offset)) } ?? .null),
                            ("newOffset", .integer(Int(position.new.offset))),
                            ("epoch", position.epoch.map { .string("\($0)") } ?? .null),
                            ("watermarkMs", position.watermarkMs.map { .integer(Int($0)) } ?? .null),
                            ("incomplete", .boolean(position.isIncomplete)), ("changed", .boolean(position.isChange)),
                            ("inDoubt", .boolean(position.isInDoubt)),
                        ])
                    })
            ),
            ("filesSetAside", .integer(reset.plan.newerFiles.count)),
            ("setAside", place.map { .string($0) } ?? .null),
        ]).text
    }
}
