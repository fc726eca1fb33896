extension JobCheck {
    mutating func checkSinks(_ query: QueryDefinition, path: String) {
        if query.sinks.isEmpty, query.anomalies.isEmpty, query.impacts.isEmpty, !isWritten("\(path).sinks.0") {
            warn("the rows of query `\(query.name)` go nowhere", at: "\(path).name", label: "add `sinks:`")
        }
        for (index, sink) in query.sinks.enumerated() {
            let sinkPath = "\(path).sinks.\(index)"
            guard let factory = checkedFactory(sink, path: sinkPath) else { continue }
            if !factory.outputModes.contains(query.outputMode) {
                let modes = OutputMode.allCases.filter(factory.outputModes.contains).map(\.rawValue)
                error(
                    "\(sink.kind) takes \(modes.joined(separator: " and ")) output, the query is "
                        + query.outputMode.rawValue, atKey: "\(sinkPath).\(sink.kind)",
                    label: "console, jsonl and kafka take every mode")
            }
            if factory.needsFixedColumns, case .without = query.grouping {
                error(
                    "\(sink.kind) needs fixed columns, `without` leaves them to the data",
                    atKey: "\(sinkPath).\(sink.kind)", label: "use groupBy, or a jsonl or kafka sink")
            }
            if sink.options.declares("partitionBy") { checkFolders(of: sink, query) }
        }
        if let late = query.late { checkDocumentSink(late, path: "\(path).late") }
        for (index, anomaly) in query.anomalies.enumerated() {
            for (entry, sink) in anomaly.sinks.enumerated() {
                checkFindingSink(sink, FindingTable.anomalies, path: "\(path).anomalies.\(index).sinks.\(entry)")
            }
        }
        for (index, impact) in query.impacts.enumerated() {
            for (entry, sink) in impact.sinks.enumerated() {
                checkFindingSink(sink, FindingTable.impacts, path: "\(path).impacts.\(index).sinks.\(entry)")
            }
        }
    }

    /// A sink of anomalies or impacts: their rows have one schema, whatever the job.
    private mutating func checkFindingSink(_ sink: SinkDefinition, _ schema: RowSchema, path: String) {
        guard checkedFactory(sink, path: path) != nil, sink.options.declares("partitionBy") else { return }
        let keys = schema.columns.filter { $0.role == .key && $0.name != "labels" }.map(\.name)
        checkFolders(of: sink, keys: keys, "which is no key column of these rows")
    }

    /// Folders are named by the query's keys: other columns have too many values, or none that names can hold.
    private mutating func checkFolders(of sink: SinkDefinition, _ query: QueryDefinition) {
        guard case .by(let keys) = query.grouping else { return }
        checkFolders(of: sink, keys: keys, "which the query does not group by")
    }

    private mutating func checkFolders(of sink: SinkDefinition, keys: [String], _ complaint: String) {
        var met: Set<String> = []
        for (index, name) in sink.options.texts("partitionBy").enumerated() {
            let path = "\(sink.options.path("partitionBy")).\(index)"
            if !keys.contains(name) {
                error(
                    "`partitionBy` names `\(name)`, \(complaint)", at: path,
                    label: Self.didYouMean(name, keys), notes: Self.list("keys", keys))
            } else if !met.insert(name).inserted {
                error("`partitionBy` names `\(name)` twice", at: path)
            }
        }
    }

    private mutating func checkDocumentSink(_ sink: SinkDefinition, path: String) {
        guard let factory = checkedFactory(sink, path: path), !factory.takesDocuments else { return }
        error("\(sink.kind) takes rows only", atKey: "\(path).\(sink.kind)")
    }

    private mutating func checkedFactory(_ sink: SinkDefinition, path: String) -> (any SinkFactory)? {
        guard let factory = registries.sink(sink.kind) else {
            let kinds = registries.sinks.map(\.kind)
            error(
                "unknown sink `\(sink.kind)`", at: path, label: Self.didYouMean(sink.kind, kinds),
                notes: Self.list("sinks", kinds))
            return nil
        }
        for var finding in factory.check(sink.options) {
            finding.span = finding.span ?? positions.span(finding.path)
            diagnostics.append(finding)
        }
        let options = sink.options
        if options.declares("brokers"), let brokers = options.text("brokers"), brokers != job.kafka.brokers {
            let own = options.declares("delivery") ? options.text("delivery") : nil
            if (own ?? job.delivery.rawValue) == Delivery.exactlyOnce.rawValue {
                error(
                    "a sink on another cluster cannot be exactly once", at: options.path("brokers"),
                    label: options.declares("delivery") ? "add delivery: atLeastOnce" : "use the job's cluster")
            }
        }
        return factory
    }

    /// What concerns all outputs together: two writers of one directory, a topic that is read and written.
    mutating func checkOutputs() {
        var writers: [String: String] = [:]
        let read = job.sources.flatMap { source in
            if case .topics(let topics) = source.topics { topics } else { [String]() }
        }
        for (sink, owner) in allSinks() {
            let options = sink.options
            if options.declares("path"), let directory = options.text("path") {
                let key = Self.normal(directory)
                if let other = writers[key] {
                    error(
                        "two sinks write to `\(directory)`", at: options.path("path"),
                        label: "\(other) writes there already")
                }
                writers[key] = owner
            }
            if sink.kind == "kafka", options.declares("topic"), let topic = options.text("topic"),
                read.contains(topic)
            {
                error(
                    "the job reads topic `\(topic)`, which it writes: its output would be its input",
                    at: options.path("topic"), label: "write to another topic")
            }
        }
        if job.delivery == .none { return }
        if job.kafka.brokers == nil, isWritten("kafka"), !isWritten("kafka.brokers"),
            job.sources.contains(where: { $0.kafka.brokers == nil })
        {
            warn("`kafka` names no `brokers`: the job can only be replayed from files", at: "kafka")
        }
    }

    private func allSinks() -> [(SinkDefinition, owner: String)] {
        var all: [(SinkDefinition, String)] = []
        for query in job.queries {
            all += query.sinks.map { ($0, "query `\(query.name)`") }
            all += query.late.map { [($0, "late rows of `\(query.name)`")] } ?? []
            for anomaly in query.anomalies { all += anomaly.sinks.map { ($0, "detector `\(anomaly.name)`") } }
            for impact in query.impacts { all += impact.sinks.map { ($0, "impact `\(impact.name)`") } }
        }
        return all + (job.deadLetter.sink.map { [($0, "dead letters")] } ?? [])
    }

    /// A path without `./`, doubled and trailing slashes.
    private static func normal(_ path: String) -> String {
        let parts = path.split(separator: "/", omittingEmptySubsequences: true).filter { $0 != "." }
        return (path.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
    }
}
