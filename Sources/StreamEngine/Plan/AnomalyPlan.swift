/// A detector of a query ready to run: everything decided that does not depend on data.
public struct AnomalyPlan: Sendable {
    public let definition: AnomalyDefinition
    public let factory: any DetectorFactory
    /// Slot in `QueryPlan.schema` of the column it looks at; nil where it looks at none.
    public let column: Int?
    /// Windows with a value before a key's first flag.
    public let warmup: Int
    public let setting: DetectorSetting
    public let contexts: [ContextPlan]
    /// The job's own labels and annotations.
    let labels: [Label]
    let annotations: [Label]

    /// The name in the job.
    public var name: String { definition.name }

    /// What the states it keeps depend on: a detector whose settings have changed learns anew.
    var fingerprint: String {
        let options = definition.detector.pairs.map { "\($0.key)=\($0.value)" }.joined(separator: ";")
        return "\(definition.detectorType)|\(definition.column ?? "")|\(setting.windowMs)/\(setting.slideMs)|\(options)"
    }
}

/// Which events bear on a detector's verdicts, and what they do.
public struct ContextPlan: Sendable {
    /// What an event does to a flag.
    public enum Action: String, Sendable, CaseIterable {
        /// It is named beside the flag.
        case annotate
        /// The flag does not count.
        case suppress
        /// One step less severe.
        case lower
        /// One step more severe.
        case raise
    }

    /// The broadcast source.
    public let source: String
    public let filter: CompiledExpression?
    /// The labels that the filter and `match` read, in the order of their slots.
    let labelSlots: [ByteString]
    /// Row column and the event's column that must hold the same text.
    let match: [(label: ByteString, column: CompiledExpression)]
    /// An event at t bears on what lies in `[t - beforeMs, t + afterMs]`.
    public let beforeMs: Int64
    public let afterMs: Int64
    public let action: Action
    /// Wall-clock time a verdict waits for the events' watermark, at most (live only).
    public let maxWaitMs: Int64

    /// The events that options (`from`, `where`, `match`, `before`, `after`, `maxWait`) ask for.
    static func compile(
        _ options: CheckedOptions, action: Action, query: String, field: String
    ) throws(PlanError) -> ContextPlan {
        var scope = EventScope()
        do {
            var filter: CompiledExpression?
            if let text = options.text("where") {
                filter = try CompiledExpression(condition: ExpressionParser.parse(text), for: "where", in: &scope)
            }
            var match: [(label: ByteString, column: CompiledExpression)] = []
            for pair in AnomalyCompiler.matches(options) {
                match.append((ByteString(pair.label), try AnomalyCompiler.column(pair.column, in: &scope)))
            }
            return ContextPlan(
                source: options.requiredText("from"), filter: filter, labelSlots: scope.labels, match: match,
                beforeMs: options.requiredDurationMs("before"), afterMs: options.requiredDurationMs("after"),
                action: action, maxWaitMs: options.requiredDurationMs("maxWait"))
        } catch {
            throw PlanError(query: query, field: field, message: error.description)
        }
    }
}

/// Compiles the detectors of one query.
struct AnomalyCompiler {
    let query: QueryDefinition
    let plan: QueryPlan
    let registries: Registries

    func compile() throws(PlanError) -> [AnomalyPlan] {
        var plans: [AnomalyPlan] = []
        for definition in query.anomalies {
            guard let factory = registries.detector(definition.detectorType) else {
                throw error(definition, "unknown detector `\(definition.detectorType)`")
            }
            if let found = factory.check(definition.detector).first(where: { $0.severity == .error }) {
                throw error(definition, found.message)
            }
            var column: Int?
            if let name = definition.column {
                column = plan.schema.columns.firstIndex { $0.name == name }
                guard let column, Self.isNumeric(plan.schema.columns[column]) else {
                    throw error(definition, "`\(name)` is no column of numbers")
                }
            } else if factory.needsColumn {
                throw error(definition, "`\(definition.detectorType)` needs a column")
            }
            var contexts: [ContextPlan] = []
            for options in definition.context {
                contexts.append(
                    try ContextPlan.compile(
                        options, action: ContextPlan.Action(rawValue: options.requiredText("action")) ?? .annotate,
                        query: query.name, field: "anomalies.\(definition.name).context"))
            }
            plans.append(
                AnomalyPlan(
                    definition: definition, factory: factory, column: column,
                    warmup: definition.detector.integer("warmup") ?? factory.defaultWarmup,
                    setting: DetectorSetting(
                        column: definition.column ?? query.name, windowMs: plan.window.sizeMs,
                        slideMs: plan.window.slideMs),
                    contexts: contexts, labels: Self.texts(definition.labels),
                    annotations: Self.texts(definition.annotations)))
        }
        return plans
    }

    private static func texts(_ pairs: [OptionPair]) -> [Label] {
        pairs.compactMap { pair in
            if case .text(let text) = pair.value { Label(ByteString(pair.key), ByteString(text)) } else { nil }
        }
    }

    private func error(_ definition: AnomalyDefinition, _ message: String) -> PlanError {
        PlanError(query: query.name, field: "anomalies.\(definition.name)", message: message)
    }

    /// Whether a detector can look at a column.
    static func isNumeric(_ column: ColumnDescription) -> Bool {
        switch column.role {
        case .windowStart, .windowEnd, .key: return false
        case .aggregate, .derived: break
        }
        switch column.type {
        case .double, .int64, .boolean: return true
        case .text, .timestamp: return false
        }
    }

    /// An event's column or label by its name.
    static func column(
        _ name: String, in scope: inout EventScope
    ) throws(ExpressionError) -> CompiledExpression {
        let range = SourceRange(offset: 0, length: name.utf8.count)
        return try CompiledExpression(Expression(.column(JobCheck.reference(name)), at: range), in: &scope)
    }

    /// The pairs of `match`, whichever way they are written.
    static func matches(_ options: CheckedOptions) -> [(label: String, column: String)] {
        switch options.value("match") {
        case .list(let names):
            return names.compactMap { if case .text(let name) = $0 { (name, name) } else { nil } }
        case .map(let pairs):
            return pairs.compactMap { if case .text(let column) = $0.value { ($0.key, column) } else { nil } }
        default: return []
        }
    }
}
