import Platform
import StreamEngine

/// A checkpoint for people and as JSON.
struct CheckpointText {
    private let console: Console
    private let nowMs = SystemClock().wallMs()

    init(_ console: Console) { self.console = console }

    // MARK: show

    /// A few lines for each process, partition and query.
    func people(_ summary: CheckpointSummary) -> String {
        var text = "\(console.outPaint(summary.directory, .bold))   checkpoint \(summary.id), "
        text +=
            "\(FigureText.bytes(summary.bytes)) in \(Plural.of(summary.incarnations.reduce(0) { $0 + $1.count }, "epoch"))"
        text += summary.snapshotCount > 0 ? " and \(Plural.of(summary.snapshotCount, "snapshot"))\n" : "\n"
        for one in summary.incarnations { text += "  process    \(process(one))\n" }
        for partition in summary.partitions { text += lines(partition) }
        for piece in summary.shared { text += "  \(piece.id)   \(figures(piece))\n" }
        for error in summary.errors { text += "  \(console.outPaint("damaged", .red))    \(error.description)\n" }
        if !summary.partitions.isEmpty {
            text +=
                "which epoch counts the group's committed offsets tell; the last of a process may not have taken effect\n"
        }
        return text
    }

    private func process(_ one: CheckpointSummary.Incarnation) -> String {
        let range =
            one.first == one.last
            ? "epoch \(FigureText.count(one.first))"
            : "epochs \(FigureText.count(one.first)) to \(FigureText.count(one.last)), \(FigureText.count(one.count)) kept"
        let slot = one.slot.isEmpty ? "" : ", slot \(one.slot)"
        let origin = one.isFromReplay ? ", left by a replay" : ""
        let age = one.writtenMs.map { ", last written \(self.age($0))" } ?? ""
        return "\(one.name)\(slot)\(origin): \(range), \(FigureText.bytes(one.bytes))\(age)"
    }

    private func lines(_ partition: CheckpointSummary.Partition) -> String {
        let record = partition.record
        let watermark = record.watermarkMs.map(EventTime.rfc3339) ?? "none yet"
        var text =
            "  \(console.outPaint("\(record.partition)", .bold))   next offset \(FigureText.count(Int(record.nextOffset)))"
        text +=
            " · watermark \(watermark) · epoch \(partition.epoch)\(partition.isDecided ? "" : " (may be undecided)")"
        text += ", \(age(partition.writtenMs))\n"
        if let error = partition.error {
            return text + "    \(console.outPaint("broken", .red))   \(error.description)\n"
        }
        let bytes = partition.pieces.reduce(0) { $0 + $1.bytes }
        text +=
            "    state at \(record.state): \(FigureText.bytes(bytes)) in \(Plural.of(partition.chainLength, "file"))\n"
        for piece in partition.pieces { text += "    \(name(piece.id))   \(figures(piece))\n" }
        return text
    }

    private func name(_ id: StateID) -> String {
        switch id {
        case .task: "series and position"
        case .windows(let query, _): "query \(query)"
        case .detectors(let query, _): "detectors of \(query)"
        case .query(let query): "query \(query)"
        case .source(let source): "source \(source)"
        }
    }

    private func figures(_ piece: CheckpointSummary.Piece) -> String {
        let changes = piece.changedRows > 0 ? " + \(FigureText.count(piece.changedRows)) changed" : ""
        return "\(FigureText.count(piece.rows))\(changes) rows, \(FigureText.bytes(piece.bytes))"
            + (piece.rawBytes > piece.bytes ? " (\(FigureText.bytes(piece.rawBytes)) before compression)" : "")
    }

    private func age(_ ms: Int64) -> String {
        let seconds = Double(nowMs - ms) / 1000
        return seconds < 0 ? EventTime.rfc3339(ms) : "\(FigureText.duration(seconds: seconds)) ago"
    }

    /// One object.
    func json(_ summary: CheckpointSummary) -> String {
        JSONValue.object([
            ("directory", .string(summary.directory)), ("checkpointId", .string(summary.id)),
            ("bytes", .integer(Int(summary.bytes))), ("snapshots", .integer(summary.snapshotCount)),
            (
                "processes",
                .array(
                    summary.incarnations.map { one in
                        .object([
                            ("incarnation", .string(one.name)), ("slot", .string(one.slot)),
                            ("firstEpoch", .integer(one.first)), ("lastEpoch", .integer(one.last)),
                            ("epochs", .integer(one.count)), ("bytes", .integer(Int(one.bytes))),
                            ("writtenMs", one.writtenMs.map { .integer(Int($0)) } ?? .null),
                            ("fromReplay", .boolean(one.isFromReplay)),
                        ])
                    })
            ),
            ("partitions", .array(summary.partitions.map(json))),
            ("shared", .array(summary.shared.map(json))),
            ("errors", .array(summary.errors.map { .string($0.description) })),
        ]).text
    }

    private func json(_ partition: CheckpointSummary.Partition) -> JSONValue {
        let record = partition.record
        return .object([
            ("source", .string(record.partition.source)), ("topic", .string(record.partition.topic)),
            ("partition", .integer(Int(record.partition.partition))), ("nextOffset", .integer(Int(record.nextOffset))),
            ("watermarkMs", record.watermarkMs.map { .integer(Int($0)) } ?? .null),
            ("epoch", .string("\(partition.epoch)")), ("state", .string("\(record.state)")),
            ("decided", .boolean(partition.isDecided)), ("writtenMs", .integer(Int(partition.writtenMs))),
            ("ageMs", .integer(Int(nowMs - partition.writtenMs))), ("files", .integer(partition.chainLength)),
            ("samples", .integer(record.ledger.samples)), ("bad", .integer(record.ledger.bad)),
            ("lostOffsets", .integer(record.ledger.lostOffsets)),
            ("pieces", .array(partition.pieces.map(json))),
            ("error", partition.error.map { .string($0.description) } ?? .null),
        ])
    }

    private func json(_ piece: CheckpointSummary.Piece) -> JSONValue {
        let (kind, query): (String, String?) =
            switch piece.id {
            case .task: ("task", nil)
            case .windows(let query, _): ("windows", query)
            case .detectors(let query, _): ("detectors", query)
            case .query(let query): ("query", query)
            case .source: ("source", nil)
            }
        return .object([
            ("kind", .string(kind)), ("query", query.map { .string($0) } ?? .null), ("rows", .integer(piece.rows)),
            ("changedRows", .integer(piece.changedRows)), ("bytes", .integer(Int(piece.bytes))),
            ("rawBytes", .integer(Int(piece.rawBytes))),
        ])
    }

    // MARK: verify

    /// One line for each finding, and the verdict.
    func people(_ found: CheckpointVerification) -> String {
        var text = ""
        for finding in found.damaged { text += "\(console.outPaint("damaged", .red))   \(finding.description)\n" }
        for chain in found.brokenChains { text += "\(console.outPaint("broken", .red))    \(chain.description)\n" }
        for contradiction in found.contradictions {
            text += "\(console.outPaint("wrong", .red))     \(contradiction)\n"
        }
        for path in found.leftovers { text += "leftover  \(path): never finished, harmless\n" }
        for path in found.strangers { text += "unknown   \(path): not written by stream-job\n" }
        let problems = found.damaged.count + found.brokenChains.count + found.contradictions.count
        text += problems == 0 ? console.outPaint("ok", .green) : console.outPaint(Plural.of(problems, "problem"), .red)
        return text + ": \(Plural.of(found.filesChecked, "file")), \(FigureText.bytes(found.bytesChecked)) read\n"
    }

    /// One object.
    func json(_ found: CheckpointVerification) -> String {
        JSONValue.object([
            ("ok", .boolean(found.isWhole)), ("files", .integer(found.filesChecked)),
            ("bytes", .integer(Int(found.bytesChecked))),
            (
                "damaged",
                .array(
                    found.damaged.map {
                        .object([("file", .string($0.path)), ("message", .string($0.error.description))])
                    })
            ),
            (
                "brokenChains",
                .array(
                    found.brokenChains.map {
                        .object([
                            ("source", .string($0.partition.source)), ("topic", .string($0.partition.topic)),
                            ("partition", .integer(Int($0.partition.partition))), ("state", .string("\($0.state)")),
                            ("message", .string($0.error.description)),
                        ])
                    })
            ),
            ("contradictions", .array(found.contradictions.map { .string($0) })),
            ("leftovers", .array(found.leftovers.map { .string($0) })),
            ("unknown", .array(found.strangers.map { .string($0) })),
        ]).text
    }
}
