/// What a query asks for that cannot be run, and where in the query it stands.
public struct PlanError: Error, CustomStringConvertible {
    public let query: String
    /// The key: `where`, `aggregates.busy`.
    public let field: String
    public let message: String

    public var description: String { "query \(query), \(field): \(message)" }
}

/// Compiles one query of a job: names to slots, `where` into what a series decides and what a row decides, aggregates into
/// shared inputs and states.
struct QueryCompiler<Scope: SampleColumns> {
    private let query: QueryDefinition
    private let source: SourceDefinition
    private let kind: RecordKind
    private let registries: Registries
    private let limits: LimitsDefinition
    private var scope: Scope
    private var inputs: [AggregateInput] = []
    private var inputKeys: [String: Int] = [:]
    private var states: [StatePlan] = []
    private var stateKeys: [String: Int] = [:]
    private var logs: [LogPlan] = []
    private var logKeys: [String: Int] = [:]

    init(
        _ query: QueryDefinition, source: SourceDefinition, kind: RecordKind, registries: Registries,
        limits: LimitsDefinition, scope: Scope
    ) {
        self.query = query
        self.source = source
        self.kind = kind
        self.registries = registries
        self.limits = limits
        self.scope = scope
    }

    /// The plan, or the first thing that cannot be done.
    mutating func compile() throws(PlanError) -> QueryPlan {
        for column in query.columns {
            scope.define(column.name, try expression(column.expression, "columns.\(column.name)"))
        }
        let filters = try splitFilter()
        let grouping = try compileGrouping()
        var outputs: [OutputAggregate] = []
        for aggregate in query.aggregates { outputs.append(try compile(aggregate)) }
        let usesLogs = !logs.isEmpty
        if usesLogs, case .by(let columns) = grouping,
            let column = columns.first(where: { $0.expression.dependence == .perRow })
        {
            throw error(
                "groupBy",
                "`\(column.name)` differs from sample to sample; per-series functions need keys that belong to a series"
            )
        }
        let window = WindowSpec(
            sizeMs: query.window.sizeMs, slideMs: query.window.slideMs, offsetMs: query.window.offsetMs)
        let rows = try compileRows(grouping, outputs)
        return QueryPlan(
            name: query.name, source: source.name, sourceKind: kind, window: window,
            latenessMs: query.allowedLatenessMs, delayMs: source.watermark.delayMs,
            keyTTLMs: max(
                limits.keyTTLMs, query.window.sizeMs + query.allowedLatenessMs + source.watermark.delayMs),
            outputMode: query.outputMode, partitionedBy: source.partitionedBy,
            notPartitionLocal: whyNotPartitionLocal(grouping), keepsLateSamples: query.late != nil,
            selector: query.select, seriesFilter: filters.series, rowFilter: filters.row, grouping: grouping,
            inputs: inputs, states: states, logs: logs, outputs: outputs, derived: rows.derived, having: rows.having,
            schema: rows.schema, labelSlots: scope.labels)
    }

    private func error(_ field: String, _ message: String) -> PlanError {
        PlanError(query: query.name, field: field, message: message)
    }

    private mutating func expression(
        _ expression: Expression, _ field: String
    ) throws(PlanError) -> CompiledExpression {
        do { return try CompiledExpression(expression, in: &scope) } catch {
            throw self.error(field, error.description)
        }
    }

    private mutating func condition(
        _ expression: Expression, _ field: String
    ) throws(PlanError) -> CompiledExpression {
        do {
            return try CompiledExpression(condition: expression, for: field, in: &scope)
        } catch {
            throw self.error(field, error.description)
        }
    }

    // MARK: where, groupBy

    private static func conjuncts(_ expression: Expression) -> [Expression] {
        if case .binary(.and, let left, let right) = expression.kind { return conjuncts(left) + conjuncts(right) }
        return [expression]
    }

    private static func joined(_ parts: [Expression]) -> Expression? {
        guard var whole = parts.first else { return nil }
        for part in parts.dropFirst() {
            whole = Expression(.binary(.and, whole, part), at: whole.range.through(part.range))
        }
        return whole
    }

    /// `a and b` holds where both do, so the parts that a series decides are looked at once a series.
    private mutating func splitFilter() throws(PlanError) -> (series: CompiledExpression?, row: CompiledExpression?) {
        guard let filter = query.where else { return (nil, nil) }
        // The whole is checked first, so that an error points into it.
        _ = try condition(filter, "where")
        var ofSeries: [Expression] = []
        var ofRow: [Expression] = []
        for part in Self.conjuncts(filter) {
            if try condition(part, "where").dependence == .perRow { ofRow.append(part) } else { ofSeries.append(part) }
        }
        var series: CompiledExpression?
        var row: CompiledExpression?
        if let part = Self.joined(ofSeries) { series = try condition(part, "where") }
        if let part = Self.joined(ofRow) { row = try condition(part, "where") }
        return (series, row)
    }

    private mutating func compileGrouping() throws(PlanError) -> GroupingPlan {
        switch query.grouping {
        case .without(let names):
            return .without(Set(names.map { ByteString($0) }))
        case .by(let names):
            var columns: [KeyColumn] = []
            for name in names {
                let reference = QueryCompiler.reference(name)
                let compiled = try expression(
                    Expression(.column(reference), at: SourceRange(offset: 0, length: name.utf8.count)), "groupBy")
                columns.append(KeyColumn(name: name, expression: compiled, isInteger: isInteger(reference)))
            }
            return .by(columns)
        }
    }

    /// A name in `groupBy`; `labels.topic` is the label where a column has its name.
    private static func reference(_ name: String) -> ColumnReference {
        let prefix = "labels."
        guard name.hasPrefix(prefix), name.count > prefix.count else { return ColumnReference(name: ByteString(name)) }
        return ColumnReference(name: ByteString(String(name.dropFirst(prefix.count))), isLabel: true)
    }

    private func isInteger(_ reference: ColumnReference) -> Bool {
        let integers: Set<ByteString> = ["partition", "offset", "timestamp"]
        return !reference.isLabel && integers.contains(reference.name)
            && !query.columns.contains { ByteString($0.name) == reference.name }
    }

    /// What keeps a query from being partition-local (DESIGN §1); nil when nothing does.
    private func whyNotPartitionLocal(_ grouping: GroupingPlan) -> String? {
        whyKeysAreSpread(grouping) ?? whyDetectorsLookAcross()
    }

    /// A detector that looks across keys, or makes one incident of many, must find them in one partition.
    private func whyDetectorsLookAcross() -> String? {
        for anomaly in query.anomalies {
            let compared = registries.detector(anomaly.detectorType)?.groupingLabels(anomaly.detector)
            let groups = [compared, anomaly.groupInto.isEmpty ? nil : anomaly.groupInto].compactMap(\.self)
            for labels in groups {
                let missing = source.partitionedBy.filter { !labels.contains($0) }
                guard let first = missing.first else { continue }
                return "detector \(anomaly.name) looks across keys that differ in \(first), by which the source is "
                    + "partitioned"
            }
        }
        return nil
    }

    private func whyKeysAreSpread(_ grouping: GroupingPlan) -> String? {
        guard !source.partitionedBy.isEmpty else { return "source \(source.name) has no `partitionedBy`" }
        switch grouping {
        case .without(let left):
            let missing = source.partitionedBy.filter {
                left.contains(ByteString($0)) || $0 == "topic" || $0 == "partition"
            }
            return missing.isEmpty
                ? nil : "`without` leaves out \(missing.joined(separator: ", ")), by which the source is partitioned"
        case .by(let columns):
            let plain = Set(columns.map(\.name)).subtracting(query.columns.map(\.name))
            let missing = source.partitionedBy.filter { !plain.contains($0) }
            return missing.isEmpty
                ? nil : "`groupBy` lacks \(missing.joined(separator: ", ")), by which the source is partitioned"
        }
    }

    // MARK: Aggregates

    private mutating func compile(_ named: NamedAggregate) throws(PlanError) -> OutputAggregate {
        let call = named.call
        let field = "aggregates.\(named.name)"
        if let type = registries.bucketAggregate(call.function.name) {
            guard let inner = call.inner, let parameter = call.parameter else {
                throw error(field, "write \(call.function.name)(0.99, rate(value))")
            }
            let log = try self.log(inner, filter: call.filter, field)
            return OutputAggregate(
                name: named.name,
                source: .buckets(
                    log: log.index, try function(inner, field), type.init(parameter: parameter.value),
                    seriesFilter: log.seriesFilter))
        }
        guard let type = registries.aggregate(call.function.name) else {
            throw error(field, "unknown aggregate `\(call.function.name)`")
        }
        if let inner = call.inner {
            let log = try self.log(inner, filter: call.filter, field)
            return OutputAggregate(
                name: named.name,
                source: .perSeries(
                    log: log.index, try function(inner, field),
                    type.init(parameter: call.parameter?.value, type: .number),
                    seriesFilter: log.seriesFilter))
        }
        let input = try self.input(call, type.argument, field)
        let aggregate = type.init(parameter: call.parameter?.value, type: input.type)
        let indices = aggregate.states.map { state(input.index, $0) }
        return OutputAggregate(name: named.name, source: .states(aggregate, indices))
    }

    private func function(_ inner: InnerCall, _ field: String) throws(PlanError) -> any SeriesFunction {
        guard let type = registries.seriesFunction(inner.function.name) else {
            throw error(field, "unknown per-series function `\(inner.function.name)`")
        }
        return type.init(parameter: inner.parameters.first)
    }

    private mutating func argument(
        _ expression: Expression?, _ wanted: AggregateArgument, for user: String, _ field: String
    ) throws(PlanError) -> (argument: AggregateInput.Argument, type: ValueType) {
        guard let expression else { return (.none, .number) }
        let compiled = try self.expression(expression, field)
        if kind == .samples, compiled.columnSlot == SampleScope.Slot.value { return (.value, .number) }
        if compiled.type == .string {
            if case .number = wanted {
                throw error(field, "`\(user)` takes numbers; number(x) converts a text")
            }
            return (.text(compiled), .string)
        }
        do {
            return (.number(try CompiledExpression(number: expression, for: user, in: &scope)), .number)
        } catch {
            throw self.error(field, error.description)
        }
    }

    private mutating func input(
        _ call: AggregateCall, _ wanted: AggregateArgument, _ field: String
    ) throws(PlanError) -> (index: Int, type: ValueType) {
        let argument = try self.argument(call.argument, wanted, for: call.function.name, field)
        // count() needs no values, so it shares the input of whatever else has its filter.
        let key = "\(call.argument?.description ?? (kind == .samples ? "value" : ""))|\(call.filter?.description ?? "")"
        if let known = inputKeys[key] { return (known, argument.type) }
        var filter: CompiledExpression?
        if let expression = call.filter { filter = try condition(expression, field) }
        let shared: AggregateInput.Argument =
            if case .none = argument.argument, kind == .samples { .value } else { argument.argument }
        inputs.append(AggregateInput(argument: shared, filter: filter))
        inputKeys[key] = inputs.count - 1
        return (inputs.count - 1, argument.type)
    }

    private mutating func state(_ input: Int, _ kind: StateKind) -> Int {
        let key = "\(input)|\(kind.identity)"
        if let known = stateKeys[key] { return known }
        states.append(StatePlan(input: input, kind: kind))
        stateKeys[key] = states.count - 1
        return states.count - 1
    }

    /// The log a per-series function reads. A filter that looks only at labels is kept out of it, so that `sum(rate(value))`
    /// and `sum(rate(value)) where code =~ "5.."` share their samples.
    private mutating func log(
        _ inner: InnerCall, filter: Expression?, _ field: String
    ) throws(PlanError) -> (index: Int, seriesFilter: CompiledExpression?) {
        let argument = try self.argument(inner.argument, .number, for: inner.function.name, field)
        var seriesFilter: CompiledExpression?
        var rowFilter: CompiledExpression?
        if let filter {
            let compiled = try condition(filter, field)
            let placed = [SampleScope.Slot.topic, SampleScope.Slot.partition]
            if compiled.dependence == .perRow || compiled.slots.contains(where: { placed.contains($0) }) {
                rowFilter = compiled
            } else {
                seriesFilter = compiled
            }
        }
        let key = "\(inner.argument)|\(rowFilter == nil ? "" : filter?.description ?? "")"
        if let known = logKeys[key] { return (known, seriesFilter) }
        logs.append(LogPlan(argument: argument.argument, filter: rowFilter))
        logKeys[key] = logs.count - 1
        return (logs.count - 1, seriesFilter)
    }

    // MARK: Rows

    private func compileRows(
        _ grouping: GroupingPlan, _ outputs: [OutputAggregate]
    ) throws(PlanError) -> (schema: RowSchema, derived: [QueryPlan.DerivedColumn], having: CompiledExpression?) {
        var columns = [
            ColumnDescription(name: "window_start", type: .timestamp, role: .windowStart),
            ColumnDescription(name: "window_end", type: .timestamp, role: .windowEnd),
        ]
        if case .by(let keys) = grouping {
            columns += keys.map { ColumnDescription(name: $0.name, type: $0.columnType, role: .key) }
        }
        columns += outputs.map { ColumnDescription(name: $0.name, type: $0.type, role: .aggregate) }
        var scope = ResultScope(columns: columns)
        var derived: [QueryPlan.DerivedColumn] = []
        for column in query.derive {
            do {
                let compiled = try CompiledExpression(column.expression, in: &scope)
                derived.append(QueryPlan.DerivedColumn(name: column.name, expression: compiled))
                scope.append(
                    ColumnDescription(name: column.name, type: ColumnType(compiled.type), role: .derived))
            } catch {
                throw self.error("derive.\(column.name)", error.description)
            }
        }
        var having: CompiledExpression?
        if let condition = query.having {
            do {
                having = try CompiledExpression(condition: condition, for: "having", in: &scope)
            } catch {
                throw self.error("having", error.description)
            }
        }
        return (RowSchema(columns: scope.columns), derived, having)
    }
}

/// What the sample and the event scope share.
protocol SampleColumns: ColumnScope {
    var labels: [ByteString] { get }
    mutating func define(_ name: String, _ expression: CompiledExpression)
}

extension SampleScope: SampleColumns {}
extension EventScope: SampleColumns {}

extension ColumnType {
    /// The type of a column that holds an expression's values.
    init(_ type: ValueType) {
        switch type {
        case .number: self = .double
        case .string: self = .text
        case .boolean: self = .boolean
        }
    }
}

extension CompiledJob {
    /// Compiles a checked definition.
    public init(_ definition: JobDefinition, registries: Registries) throws(PlanError) {
        var plans: [QueryPlan] = []
        var formats: [String: any Format] = [:]
        for source in definition.sources {
            guard let format = registries.format(source.format) else {
                throw PlanError(query: source.name, field: "format", message: "unknown format `\(source.format)`")
            }
            formats[source.name] = format
        }
        for query in definition.queries {
            guard let source = definition.source(query.from), let format = formats[query.from] else {
                throw PlanError(query: query.name, field: "from", message: "no source `\(query.from)`")
            }
            var plan: QueryPlan
            switch format.kind {
            case .samples:
                var compiler = QueryCompiler(
                    query, source: source, kind: .samples, registries: registries, limits: definition.limits,
                    scope: SampleScope())
                plan = try compiler.compile()
            case .events:
                var compiler = QueryCompiler(
                    query, source: source, kind: .events, registries: registries, limits: definition.limits,
                    scope: EventScope())
                plan = try compiler.compile()
            }
            plan.anomalies = try AnomalyCompiler(query: query, plan: plan, registries: registries).compile()
            plan.impacts = try ImpactPlan.compile(query, plan)
            plans.append(plan)
        }
        self.init(definition: definition, queries: plans, formats: formats)
    }
}
