extension JobCheck {
    /// Detectors and the rules around them; `checkAnomalyColumns` looks at the types of what they read.
    mutating func checkAnomalies(_ query: QueryDefinition, path: String) {
        guard let first = query.anomalies.first else { return }
        if query.outputMode != .append {
            error(
                "detectors need `outputMode: append`: they look at final rows", at: "\(path).outputMode",
                label: "detector `\(first.name)` reads this query")
        }
        let columns = rowColumns(query)
        for (index, anomaly) in query.anomalies.enumerated() {
            let itemPath = "\(path).anomalies.\(index)"
            if query.anomalies[..<index].contains(where: { $0.name == anomaly.name }) {
                error("two detectors are called `\(anomaly.name)`", at: "\(itemPath).name", label: "rename one")
            }
            if let column = anomaly.column, !columns.contains(column), !isUnparsed(column, path: path) {
                error(
                    "unknown column `\(column)`", at: "\(itemPath).column", label: Self.didYouMean(column, columns),
                    notes: Self.list("columns", columns))
            }
            checkDetector(anomaly, of: query, path: itemPath)
            checkRules(anomaly, path: itemPath)
            checkFedCounter(anomaly, of: query, path: itemPath)
            for (entry, context) in anomaly.context.enumerated() {
                checkEvents(context, of: query, path: "\(itemPath).context.\(entry)")
            }
        }
    }

    private mutating func checkDetector(_ anomaly: AnomalyDefinition, of query: QueryDefinition, path: String) {
        guard let factory = registries.detector(anomaly.detectorType) else {
            guard positions.isEmpty else { return }
            let names = registries.detectors.map(\.name)
            error(
                "unknown detector `\(anomaly.detectorType)`", at: "\(path).detector",
                label: Self.didYouMean(anomaly.detectorType, names), notes: Self.list("detectors", names))
            return
        }
        if factory.needsColumn, anomaly.column == nil, !isWritten("\(path).column") {
            error(
                "detector `\(factory.name)` needs `column`", at: "\(path).name",
                label: "a column of the query's rows that holds numbers")
        }
        if anomaly.detector.isComplete {
            for var finding in factory.check(anomaly.detector) {
                finding.span = finding.span ?? positions.span(finding.path)
                diagnostics.append(finding)
            }
        }
        checkKeyNames(anomaly.groupInto, "groupInto", of: query, path: "\(path).groupInto")
        if anomaly.detector.isComplete, let labels = factory.groupingLabels(anomaly.detector) {
            checkKeyNames(labels, factory.name, of: query, path: "\(path).detector")
        }
    }

    /// Names that must be key columns of the query; with `without` only data can tell.
    private mutating func checkKeyNames(_ names: [String], _ user: String, of query: QueryDefinition, path: String) {
        guard case .by(let keys) = query.grouping else { return }
        for (index, name) in names.enumerated() where !keys.contains(name) {
            error(
                "`\(user)` names `\(name)`, by which the query does not group",
                at: isWritten("\(path).\(index)") ? "\(path).\(index)" : path, label: Self.didYouMean(name, keys),
                notes: Self.list("groupBy", keys))
        }
    }

    private mutating func checkRules(_ anomaly: AnomalyDefinition, path: String) {
        if anomaly.emit != .transitions {
            for key in ["for", "keepFiringFor", "cooldown"] where isWritten("\(path).\(key)") {
                warn(
                    "`\(key)` makes incidents of flags, and `emit: \(anomaly.emit.rawValue)` shows the flags",
                    at: "\(path).\(key)", label: "emit: transitions shows incidents")
            }
        }
        if anomaly.sinks.isEmpty, !isWritten("\(path).sinks") {
            warn("what detector `\(anomaly.name)` finds goes nowhere", at: "\(path).name", label: "add `sinks:`")
        }
        let moves = anomaly.context.contains { ["lower", "raise"].contains($0.text("action")) }
        if moves, !Severity.ladder.contains(anomaly.severity) {
            warn(
                "events cannot move severity `\(anomaly.severity)`", at: "\(path).severity",
                label: "`lower` and `raise` move on the ladder \(Severity.ladder.joined(separator: ", "))")
        }
    }

    /// Which events a detector's context or an impact asks for.
    mutating func checkEvents(_ context: CheckedOptions, of query: QueryDefinition, path: String) {
        guard let from = context.text("from") else { return }
        let broadcast = job.sources.filter(\.isBroadcast)
        guard let source = broadcast.first(where: { $0.name == from }) else {
            let names = broadcast.map(\.name)
            error(
                "`\(from)` is no broadcast source", at: "\(path).from", label: Self.didYouMean(from, names),
                notes: Self.list("broadcast sources", names))
            return
        }
        if let format = registries.format(source.format), format.kind != .events {
            error(
                "source `\(from)` has samples; context is made of events", at: "\(path).from",
                label: "events come in event-json")
        }
        var scope = EventScope()
        if let text = context.text("where") {
            _ = attempt("\(path).where") { () throws(ExpressionError) in
                try CompiledExpression(condition: ExpressionParser.parse(text), for: "where", in: &scope)
            }
        }
        for pair in AnomalyCompiler.matches(context) {
            let compiled = attempt("\(path).match") { () throws(ExpressionError) in
                try AnomalyCompiler.column(pair.column, in: &scope)
            }
            if let compiled, compiled.type != .string {
                error("`\(pair.column)` of an event is no text", at: "\(path).match", label: "match labels")
            }
            guard case .by(let keys) = query.grouping, !keys.contains(pair.label) else { continue }
            error(
                "`match` names `\(pair.label)`, by which the query does not group", at: "\(path).match",
                label: Self.didYouMean(pair.label, keys), notes: Self.list("groupBy", keys))
        }
    }

    /// A counter only ever rises: a detector on its last value learns that, and flags the restart.
    private mutating func checkFedCounter(_ anomaly: AnomalyDefinition, of query: QueryDefinition, path: String) {
        guard let column = anomaly.column, Self.showsLastValue(column, of: query),
            let counter = Self.metricNames(query).first(where: { Self.isCounter($0) })
        else { return }
        warn(
            "\(counter) looks like a counter, which only ever rises: a detector on `\(column)` sees no change of pace",
            at: "\(path).column", label: "such as avg(rate(value))")
    }

    /// Whether a column holds what the samples last said: an aggregate that picks one, or what is computed of one such
    /// column alone.
    private static func showsLastValue(_ column: String, of query: QueryDefinition) -> Bool {
        if let place = query.derive.lastIndex(where: { $0.name == column }) {
            let read = Set(query.derive[place].expression.columns.map(\.name.description))
            guard let only = read.first, read.count == 1, only != column else { return false }
            var before = query
            before.derive.removeSubrange(place...)
            return showsLastValue(only, of: before)
        }
        guard let call = query.aggregates.first(where: { $0.name == column })?.call else { return false }
        if let inner = call.inner { return inner.function.name == "last_over_time" }
        return ["first", "last"].contains(call.function.name)
            && call.argument?.columns.contains { $0.name == "value" && !$0.isLabel } ?? false
    }

    /// Whether the columns detectors look at hold numbers.
    mutating func checkAnomalyColumns(_ query: QueryDefinition, _ columns: [ColumnDescription], path: String) {
        for (index, anomaly) in query.anomalies.enumerated() {
            guard let name = anomaly.column, let column = columns.first(where: { $0.name == name }),
                !AnomalyCompiler.isNumeric(column)
            else { continue }
            error(
                "`\(name)` is no column of numbers", at: "\(path).anomalies.\(index).column",
                label: "detectors look at aggregates and derived columns")
        }
    }
}
