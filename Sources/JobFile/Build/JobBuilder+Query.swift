import StreamEngine

extension JobBuilder {
    /// A query of what was written; where something is wrong, as much of it as there is.
    mutating func query(_ options: CheckedOptions, index: Int, sources: [SourceDefinition]) -> QueryDefinition {
        var query = QueryDefinition(
            name: options.text("name") ?? "query-\(index)", from: from(options, sources), window: window(options))
        if let text = options.text("select") {
            query.select = parse(text, at: options.path("select")) { (text) throws(ExpressionError) in
                try SeriesSelector.parse(text)
            }
        }
        query.columns = expressions(options, "columns")
        query.where = expression(options, "where")
        query.grouping = grouping(options)
        query.aggregates = aggregates(options)
        query.derive = expressions(options, "derive")
        query.having = expression(options, "having")
        query.allowedLatenessMs = options.durationMs("allowedLateness") ?? 0
        query.outputMode = options.text("outputMode").flatMap(OutputMode.init(rawValue:)) ?? .append
        query.sinks = sinks(options, "sinks")
        if case .tagged(let kind, let own)? = options.value("late"), own.isComplete {
            query.late = SinkDefinition(kind: kind, options: own)
        }
        query.anomalies = options.list("anomalies").compactMap { value in
            if case .object(let anomaly) = value { self.anomaly(anomaly) } else { nil }
        }
        query.impacts = options.list("impacts").compactMap { value in
            guard case .object(let impact) = value, let name = impact.text("name"), impact.text("from") != nil
            else { return nil }
            var definition = ImpactDefinition(name: name, column: impact.text("column") ?? "", events: impact)
            definition.sinks = sinks(impact, "sinks")
            return definition
        }
        return query
    }

    private mutating func from(_ options: CheckedOptions, _ sources: [SourceDefinition]) -> String {
        if let from = options.text("from") { return from }
        let candidates = sources.filter { !$0.isBroadcast }
        if candidates.count == 1 { return candidates[0].name }
        if !options.written.contains("from"), candidates.count > 1 {
            check.error(
                "the query does not say which source it reads", path: options.path,
                at: check.positions.span(options.path("name")),
                label: "add `from:`", notes: ["sources: \(candidates.map(\.name).joined(separator: ", "))"])
        }
        return ""
    }

    /// Without a good size the window is one that gives no further errors.
    private func window(_ options: CheckedOptions) -> WindowDefinition {
        let window = options.object("window")
        guard let size = window?.durationMs("size") else { return WindowDefinition(sizeMs: 60_000) }
        return WindowDefinition(
            sizeMs: size, slideMs: window?.durationMs("slide"), offsetMs: window?.durationMs("offset") ?? 0)
    }

    private mutating func grouping(_ options: CheckedOptions) -> GroupingDefinition {
        guard options.written.contains("without") else { return .by(options.texts("groupBy")) }
        if options.written.contains("groupBy") {
            check.error(
                "a query groups by `groupBy` or by `without`, not both", path: options.path,
                at: check.positions.keySpan(options.path("without")))
        }
        return .without(options.texts("without"))
    }

    private mutating func aggregates(_ options: CheckedOptions) -> [NamedAggregate] {
        let path = options.path("aggregates")
        let pairs = options.map("aggregates")
        if pairs.isEmpty, case .map? = options.value("aggregates"), check.positions.names(under: path).isEmpty {
            check.error(
                "`aggregates` is empty", path: path, at: check.positions.keySpan(path), label: "such as n: count()")
        }
        return pairs.compactMap { pair in
            guard case .text(let text) = pair.value else { return nil }
            let call = parse(text, at: "\(path).\(pair.key)") { (text) throws(ExpressionError) in
                try AggregateCall.parse(text)
            }
            return call.map { NamedAggregate(pair.key, $0) }
        }
    }

    private mutating func expressions(_ options: CheckedOptions, _ key: String) -> [NamedExpression] {
        options.map(key).compactMap { pair in
            guard case .text(let text) = pair.value else { return nil }
            let expression = parse(text, at: "\(options.path(key)).\(pair.key)") { (text) throws(ExpressionError) in
                try ExpressionParser.parse(text)
            }
            return expression.map { NamedExpression(pair.key, $0) }
        }
    }

    private mutating func expression(_ options: CheckedOptions, _ key: String) -> Expression? {
        options.text(key).flatMap { text in
            parse(text, at: options.path(key)) { (text) throws(ExpressionError) in try ExpressionParser.parse(text) }
        }
    }

    private mutating func parse<T>(
        _ text: String, at path: String, _ parse: (String) throws(ExpressionError) -> T
    ) -> T? {
        do throws(ExpressionError) {
            return try parse(text)
        } catch {
            let span = check.positions.span(path, offset: error.range.offset, length: error.range.length)
            check.error(error.message, path: path, at: span, label: error.hint ?? "")
            return nil
        }
    }

    private func sinks(_ options: CheckedOptions, _ key: String) -> [SinkDefinition] {
        options.list(key).compactMap { value in
            guard case .tagged(let kind, let own) = value, own.isComplete else { return nil }
            return SinkDefinition(kind: kind, options: own)
        }
    }

    private func anomaly(_ options: CheckedOptions) -> AnomalyDefinition? {
        guard let name = options.text("name") else { return nil }
        // A detector of an unknown type stands in, so that the keys around it are checked too.
        var type = ""
        var detector = OptionSchema("detector", "", []).defaults(path: options.path("detector"))
        if case .tagged(let known, let own)? = options.value("detector") { (type, detector) = (known, own) }
        var anomaly = AnomalyDefinition(
            name: name, column: options.text("column"), detectorType: type, detector: detector)
        anomaly.forMs = options.durationMs("for") ?? 0
        anomaly.keepFiringForMs = options.durationMs("keepFiringFor") ?? 0
        anomaly.cooldownMs = options.durationMs("cooldown") ?? 0
        anomaly.missing = options.text("missing").flatMap(AnomalyDefinition.Missing.init(rawValue:)) ?? .resolve
        anomaly.severity = options.text("severity") ?? anomaly.severity
        anomaly.labels = options.map("labels")
        anomaly.annotations = options.map("annotations")
        anomaly.groupInto = options.texts("groupInto")
        anomaly.context = options.list("context").compactMap {
            if case .object(let context) = $0 { context } else { nil }
        }
        anomaly.emit = options.text("emit").flatMap(AnomalyDefinition.Emit.init(rawValue:)) ?? .transitions
        anomaly.sinks = sinks(options, "sinks")
        return anomaly
    }
}
