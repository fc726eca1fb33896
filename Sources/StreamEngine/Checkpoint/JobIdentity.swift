/// What a job means, as a document: its sources, queries and sinks. How it connects, when it fires, its limits and what it
/// logs are no part of it. Two members run the same job when their identities are equal.
public struct JobIdentity: Sendable, Equatable {
    let tree: JSONTree

    init(tree: JSONTree) { self.tree = tree }

    /// The document, in one canonical spelling.
    public var json: String { tree.canonical }

    /// The identity of a job.
    public init(_ job: JobDefinition) {
        tree = .object([
            .init("job", .text(job.name)),
            .init("sources", .array(job.sources.map(Self.source))),
            .init("queries", .array(job.queries.map(Self.query))),
        ])
    }

    var sources: [JSONTree] { tree["sources"]?.elements ?? [] }
    var queries: [JSONTree] { tree["queries"]?.elements ?? [] }

    private static func source(_ source: SourceDefinition) -> JSONTree {
        let topics: JSONTree.Member =
            switch source.topics {
            case .topics(let names): .init("topics", .array(names.sorted().map { .text($0) }))
            case .pattern(let pattern): .init("pattern", .text(pattern))
            }
        return .object([
            .init("name", .text(source.name)), topics, .init("format", .text(source.format)),
            .init("partitionedBy", texts(source.partitionedBy)),
            .init("delayMs", .integer(source.watermark.delayMs)),
            .init("idleTimeoutMs", integer(source.watermark.idleTimeoutMs)),
            .init("maxFutureSkewMs", integer(source.watermark.maxFutureSkewMs)),
            .init("broadcast", .boolean(source.isBroadcast)),
        ])
    }

    private static func query(_ query: QueryDefinition) -> JSONTree {
        var grouping: JSONTree.Member
        switch query.grouping {
        case .by(let labels): grouping = .init("groupBy", texts(labels))
        case .without(let labels): grouping = .init("without", texts(labels.sorted()))
        }
        var members: [JSONTree.Member] = [
            .init("name", .text(query.name)), .init("from", .text(query.from)),
            .init("select", text(query.select.map(selector))),
            .init("columns", named(query.columns)),
            .init("where", text(query.where?.description)),
            .init("sizeMs", .integer(query.window.sizeMs)), .init("slideMs", .integer(query.window.slideMs)),
            .init("offsetMs", .integer(query.window.offsetMs)), grouping,
            .init(
                "aggregates",
                .array(
                    query.aggregates.map {
                        .object([.init("name", .text($0.name)), .init("is", .text($0.call.description))])
                    })),
            .init("derive", named(query.derive)),
            .init("having", text(query.having?.description)),
            .init("allowedLatenessMs", .integer(query.allowedLatenessMs)),
            .init("outputMode", .text(query.outputMode.rawValue)),
            .init("sinks", .array(query.sinks.map(sink))),
            .init("late", query.late.map(sink) ?? .null),
            .init("anomalies", .array(query.anomalies.map(anomaly))),
        ]
        // A job without impacts is the same as before there were any.
        if !query.impacts.isEmpty { members.append(.init("impacts", .array(query.impacts.map(impact)))) }
        return .object(members)
    }

    private static func impact(_ impact: ImpactDefinition) -> JSONTree {
        .object([
            .init("name", .text(impact.name)), .init("column", .text(impact.column)),
            .init(
                "events",
                .object(impact.events.pairs.filter { $0.key != "sinks" }.map { .init($0.key, value($0.value)) })
            ), .init("sinks", .array(impact.sinks.map(sink))),
        ])
    }

    private static func anomaly(_ anomaly: AnomalyDefinition) -> JSONTree {
        .object([
            .init("name", .text(anomaly.name)), .init("column", text(anomaly.column)),
            .init("type", .text(anomaly.detectorType)), .init("detector", options(anomaly.detector)),
            .init("forMs", .integer(anomaly.forMs)), .init("keepFiringForMs", .integer(anomaly.keepFiringForMs)),
            .init("cooldownMs", .integer(anomaly.cooldownMs)), .init("missing", .text(anomaly.missing.rawValue)),
            .init("severity", .text(anomaly.severity)),
            .init("labels", .object(anomaly.labels.map { .init($0.key, value($0.value)) })),
            .init("annotations", .object(anomaly.annotations.map { .init($0.key, value($0.value)) })),
            .init("groupInto", texts(anomaly.groupInto)),
            .init("context", .array(anomaly.context.map(options))),
            .init("emit", .text(anomaly.emit.rawValue)), .init("sinks", .array(anomaly.sinks.map(sink))),
        ])
    }

    /// The conditions in the order of their text: in which order they were written means nothing.
    private static func selector(_ selector: SeriesSelector) -> String {
        SeriesSelector(matchers: selector.matchers.sorted { $0.description < $1.description }).description
    }

    /// Where a sink connects and how is not what the job means.
    private static let connectionKeys: Set<String> = ["brokers", "options", "producerOptions", "create"]

    private static func sink(_ sink: SinkDefinition) -> JSONTree {
        .object([
            .init("kind", .text(sink.kind)),
            .init(
                "options",
                .object(
                    sink.options.pairs.filter { !connectionKeys.contains($0.key) }.map {
                        .init($0.key, value($0.value))
                    })
            ),
        ])
    }

    private static func options(_ options: CheckedOptions) -> JSONTree {
        .object(options.pairs.map { .init($0.key, value($0.value)) })
    }

    private static func value(_ value: OptionValue) -> JSONTree {
        switch value {
        case .text(let text): .text(text)
        case .boolean(let flag): .boolean(flag)
        case .integer(let number), .duration(let number), .size(let number): .integer(number)
        // As the shortest text that reads back as the same number: no reader may round it.
        case .number(let number): .text("\(number)")
        case .list(let values): .array(values.map(Self.value))
        case .map(let pairs): .object(pairs.map { .init($0.key, Self.value($0.value)) })
        case .object(let below): options(below)
        case .tagged(let tag, let below): .object([.init(tag, options(below))])
        }
    }

    private static func named(_ columns: [NamedExpression]) -> JSONTree {
        .array(
            columns.map {
                .object([.init("name", .text($0.name)), .init("is", .text($0.expression.description))])
            })
    }

    private static func texts(_ values: [String]) -> JSONTree { .array(values.map { .text($0) }) }
    private static func text(_ value: String?) -> JSONTree { value.map { .text($0) } ?? .null }
    private static func integer(_ value: Int64?) -> JSONTree { value.map { .integer($0) } ?? .null }
}
