import StreamEngine

/// The balance at the end of `run` and `replay`, for people and as JSON (JOBS.md).
enum SummaryText {
    /// On stderr: for people, or in `--log-format json` one record with the summary in it.
    static func show(_ summary: JobSummary, _ console: Console) {
        let text = people(summary)
        console.note(text, LogRecord(text.prefix { $0 != "\n" }, [("summary", value(summary))]))
    }

    /// A few lines for a person.
    static func people(_ summary: JobSummary) -> String {
        let rate = FigureText.rate(summary.samplesPerSecond)
        var text =
            (summary.interrupted ? "stopped after " : "done in ")
            + "\(FigureText.duration(seconds: summary.seconds)): \(Plural.of(summary.samples, "sample")) (\(rate)/s)"
            + " → \(Plural.of(summary.rows, "row"))"
        if summary.anomalies > 0 { text += ", \(Plural.of(summary.anomalies, "anomaly", "anomalies"))" }
        if summary.impacts > 0 { text += ", \(Plural.of(summary.impacts, "impact"))" }
        text += "\n"
        for query in summary.queries { text += "  ledger   \(ledger(query, many: summary.queries.count > 1))\n" }
        text += partitions(summary)
        if summary.closedByEnd > 0 {
            let windows =
                summary.closedByEnd == 1 ? "1 window was" : "\(FigureText.count(summary.closedByEnd)) windows were"
            text += "  note     \(windows) closed by the end of input (--keep-open leaves them out)\n"
        }
        for note in nothingCameOut(summary) { text += "  note     \(note)\n" }
        if let latency = summary.latency {
            func time(_ ms: Int64) -> String { FigureText.duration(seconds: Double(ms) / 1000) }
            text +=
                "  latency  p50 \(time(latency.p50Ms)), p99 \(time(latency.p99Ms)), at most \(time(latency.maxMs)), from the "
                + "record that closes a window to its rows (\(Plural.of(latency.rows, "row")))\n"
        }
        text += "  memory   peak \(FigureText.bytes(summary.peakRSSBytes))\n"
        let outputs = summary.outputs.compactMap { output in
            output.written.map {
                "\(output.description) (\(Plural.of($0.files, "file")), \(FigureText.bytes($0.bytes)))"
            }
        }
        if !outputs.isEmpty { text += "  output   \(outputs.joined(separator: "\n           "))\n" }
        return text
    }

    /// Why there may be no rows where a person expects some: nothing to read, nothing that parsed, nothing selected.
    private static func nothingCameOut(_ summary: JobSummary) -> [String] {
        guard summary.records > 0 else { return ["no records were read: there is nothing in the input"] }
        var notes: [String] = []
        let unread = summary.partitions.filter { $0.ledger.samples == 0 && $0.ledger.bad > 0 }
        if let first = unread.first {
            let others = unread.count > 1 ? " and \(FigureText.count(unread.count - 1)) more" : ""
            notes.append(
                "nothing of \(first.id)\(others) could be read: is the source's `format` right? see the dead letters")
        }
        for query in summary.queries where query.ledger.decoded > 0 && query.ledger.filtered == query.ledger.decoded {
            notes.append("query \(query.name): no sample passed its `select` and `where`")
        }
        return notes
    }

    private static func ledger(_ query: JobSummary.Query, many: Bool) -> String {
        let ledger = query.ledger
        var parts = [
            "\(FigureText.count(ledger.filtered)) filtered", "\(FigureText.count(ledger.aggregated)) aggregated",
            "\(FigureText.count(ledger.late)) late",
        ]
        if ledger.limitDrops > 0 { parts.append("\(FigureText.count(ledger.limitDrops)) over maxSeries") }
        var text = "\(FigureText.count(ledger.decoded)) = \(parts.joined(separator: " + "))"
        if ledger.partlyLate > 0 { text += "; \(FigureText.count(ledger.partlyLate)) of the aggregated partly late" }
        if ledger.lateAfterIdle > 0 { text += "; \(FigureText.count(ledger.lateAfterIdle)) of the late after idle" }
        if many { text = "\(query.name): \(text) → \(Plural.of(query.rows, "row"))" }
        return text
    }

    /// One line a partition up to eight, then only those that are not plain.
    private static func partitions(_ summary: JobSummary) -> String {
        var text = ""
        for (index, partition) in summary.partitions.enumerated() {
            let ledger = partition.ledger
            let isPlain = ledger.bad == 0 && ledger.future == 0 && ledger.staleMarkers == 0 && ledger.lost.isEmpty
            guard index < 8 || !isPlain else { continue }
            text += "  \(index == 0 ? "from  " : "      ")   \(partition.id): \(Plural.of(ledger.samples, "sample"))"
            if ledger.staleMarkers > 0 { text += ", \(FigureText.count(ledger.staleMarkers)) of them stale markers" }
            if ledger.future > 0 { text += ", \(FigureText.count(ledger.future)) of them in the future" }
            if ledger.bad > 0 {
                let reasons = ledger.badByReason.sorted { ($1.value, $0.key.rawValue) < ($0.value, $1.key.rawValue) }
                    .map { "\(FigureText.count($0.value)) \($0.key.rawValue)" }
                text += "; bad: \(reasons.joined(separator: ", "))"
            }
            if !ledger.lost.isEmpty { text += "; lost: \(lost(ledger))" }
            text += "\n"
        }
        if summary.partitions.count > 8 { text += "           (\(summary.partitions.count) partitions in all)\n" }
        return text
    }

    /// `offsets 10 to 49 and 70`
    private static func lost(_ ledger: PartitionLedger) -> String {
        let ranges = ledger.lost.suffix(8).map {
            $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound) to \($0.upperBound)"
        }
        let earlier = ledger.lost.count > ranges.count ? "\(ledger.lost.count - ranges.count) earlier ranges, " : ""
        return "\(Plural.of(ledger.lostOffsets, "offset")) (\(earlier)\(ranges.joined(separator: ", ")))"
    }

    /// One JSON object on one line.
    static func json(_ summary: JobSummary) -> String { value(summary).text }

    private static func value(_ summary: JobSummary) -> JSONValue {
        let queries = summary.queries.map { query -> (String, JSONValue) in
            let ledger = query.ledger
            return (
                query.name,
                .object([
                    ("decoded", .integer(ledger.decoded)), ("filtered", .integer(ledger.filtered)),
                    ("aggregated", .integer(ledger.aggregated)), ("late", .integer(ledger.late)),
                    ("partlyLate", .integer(ledger.partlyLate)), ("lateAfterIdle", .integer(ledger.lateAfterIdle)),
                    ("limitDrops", .integer(ledger.limitDrops)), ("rows", .integer(query.rows)),
                ])
            )
        }
        let partitions = summary.partitions.map { partition -> (String, JSONValue) in
            let ledger = partition.ledger
            return (
                partition.id.description,
                .object([
                    ("records", .integer(ledger.records)), ("samples", .integer(ledger.samples)),
                    ("decoded", .integer(ledger.decoded)), ("bad", .integer(ledger.bad)),
                    ("future", .integer(ledger.future)), ("staleMarkers", .integer(ledger.staleMarkers)),
                    (
                        "lost",
                        .array(
                            ledger.lost.map {
                                .array([.integer(Int($0.lowerBound)), .integer(Int($0.upperBound))])
                            })
                    ),
                    ("watermark", partition.watermarkMs.map { .string(EventTime.rfc3339($0)) } ?? .null),
                ])
            )
        }
        return .object([
            ("job", .string(summary.job)), ("epochs", .integer(summary.epochs)), ("records", .integer(summary.records)),
            ("samples", .integer(summary.samples)), ("rows", .integer(summary.rows)),
            ("anomalies", .integer(summary.anomalies)), ("impacts", .integer(summary.impacts)),
            ("late", .integer(summary.late)),
            ("partlyLate", .integer(summary.partlyLate)), ("lateAfterIdle", .integer(summary.lateAfterIdle)),
            ("future", .integer(summary.future)), ("badRecords", .integer(summary.badRecords)),
            ("staleMarkers", .integer(summary.staleMarkers)), ("limitDrops", .integer(summary.limitDrops)),
            ("lostOffsets", .integer(summary.lostOffsets)),
            ("closedByEnd", .integer(summary.closedByEnd)), ("seconds", .number(summary.seconds)),
            ("samplesPerSecond", .number(summary.samplesPerSecond)),
            ("peakRSSBytes", .integer(Int(summary.peakRSSBytes))), ("latency", summary.latency?.json ?? .null),
            ("queries", .object(queries)),
            ("partitions", .object(partitions)),
        ])
    }
}
