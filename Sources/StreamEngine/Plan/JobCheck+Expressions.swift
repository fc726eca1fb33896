extension JobCheck {
    /// Names and types in every expression of a query.
    mutating func checkExpressions(_ query: QueryDefinition, path: String) {
        switch kind(of: query) {
        case .samples: checkExpressions(query, .samples, SampleScope(), path: path) { $0.define($1, $2) }
        case .events: checkExpressions(query, .events, EventScope(), path: path) { $0.define($1, $2) }
        case nil: return
        }
    }

    private mutating func checkExpressions<Scope: ColumnScope>(
        _ query: QueryDefinition, _ kind: RecordKind, _ empty: Scope, path: String,
        define: (inout Scope, String, CompiledExpression) -> Void
    ) {
        var scope = empty
        for column in query.columns {
            let columnPath = "\(path).columns.\(column.name)"
            let compiled = attempt(columnPath) { () throws(ExpressionError) in
                try CompiledExpression(column.expression, in: &scope)
            }
            if let compiled { define(&scope, column.name, compiled) }
        }
        if let condition = query.where {
            _ = attempt("\(path).where") { () throws(ExpressionError) in
                try CompiledExpression(condition: condition, for: "where", in: &scope)
            }
        }
        var columns = keyColumns(query, kind, &scope, path: path)
        for aggregate in query.aggregates {
            let place = "\(path).aggregates.\(aggregate.name)"
            let type = checkAggregate(aggregate, kind, &scope, path: place)
            if kind == .samples { checkCounters(aggregate, of: query, path: place) }
            columns.append(ColumnDescription(name: aggregate.name, type: type ?? .double, role: .aggregate))
        }
        checkResults(query, columns, path: path)
    }

    /// The columns before the aggregates.
    private mutating func keyColumns(
        _ query: QueryDefinition, _ kind: RecordKind, _ scope: inout some ColumnScope, path: String
    ) -> [ColumnDescription] {
        var columns = [
            ColumnDescription(name: "window_start", type: .timestamp, role: .windowStart),
            ColumnDescription(name: "window_end", type: .timestamp, role: .windowEnd),
        ]
        guard case .by(let names) = query.grouping else { return columns }
        for (index, name) in names.enumerated() {
            let reference = Expression(
                .column(Self.reference(name)), at: SourceRange(offset: 0, length: name.utf8.count))
            let compiled = attempt("\(path).groupBy.\(index)") { () throws(ExpressionError) in
                try CompiledExpression(reference, in: &scope)
            }
            guard let compiled else { continue }
            if compiled.dependence == .perRow, query.aggregates.contains(where: { $0.call.inner != nil }) {
                error(
                    "`\(name)` differs from sample to sample; per-series functions need keys that belong to a series",
                    at: "\(path).groupBy.\(index)", label: "group by labels, or by columns made of them")
            }
            let isInteger = ["partition", "offset", "timestamp"].contains(name)
            let type = isInteger && compiled.type == .number ? .int64 : ColumnType(compiled.type)
            columns.append(ColumnDescription(name: name, type: type, role: .key))
        }
        return columns
    }

    /// A name of `groupBy` as an expression would read it: `labels.topic` is the label.
    static func reference(_ name: String) -> ColumnReference {
        let prefix = "labels."
        guard name.hasPrefix(prefix), name.count > prefix.count else { return ColumnReference(name: ByteString(name)) }
        return ColumnReference(name: ByteString(String(name.dropFirst(prefix.count))), isLabel: true)
    }

    /// Checks a call's name, parameters and types; gives the type of its cells, nil where something is wrong.
    private mutating func checkAggregate(
        _ aggregate: NamedAggregate, _ kind: RecordKind, _ scope: inout some ColumnScope, path: String
    ) -> ColumnType? {
        guard checkCall(aggregate, kind: kind, path: path) else { return nil }
        let call = aggregate.call
        if let filter = call.filter {
            let compiled = attempt(path) { () throws(ExpressionError) in
                try CompiledExpression(condition: filter, for: "where", in: &scope)
            }
            if compiled == nil { return nil }
        }
        if let inner = call.inner {
            let compiled = attempt(path) { () throws(ExpressionError) in
                try CompiledExpression(number: inner.argument, for: inner.function.name, in: &scope)
            }
            guard compiled != nil else { return nil }
            guard let outer = registries.aggregate(call.function.name) else { return .double }
            return outer.init(parameter: call.parameter?.value, type: .number).resultType
        }
        guard let outer = registries.aggregate(call.function.name) else { return nil }
        guard let argument = call.argument else {
            return outer.init(parameter: call.parameter?.value, type: .number).resultType
        }
        let compiled = attempt(path) { () throws(ExpressionError) in
            switch outer.argument {
            case .number: try CompiledExpression(number: argument, for: outer.name, in: &scope)
            case .optional, .numberOrText: try CompiledExpression(argument, in: &scope)
            }
        }
        guard let compiled else { return nil }
        let type: ValueType = compiled.type == .string ? .string : .number
        return outer.init(parameter: call.parameter?.value, type: type).resultType
    }

    /// `derive` and `having`, over the columns of result rows. A column that is wrong itself counts as a number, so that
    /// what uses it is looked at too.
    private mutating func checkResults(_ query: QueryDefinition, _ columns: [ColumnDescription], path: String) {
        var scope = ResultScope(columns: columns)
        func define(_ name: String, _ type: ColumnType, _ role: ColumnRole) {
            guard !scope.columns.contains(where: { $0.name == name }) else { return }
            scope.append(ColumnDescription(name: name, type: type, role: role))
        }
        for name in positions.names(under: "\(path).aggregates") { define(name, .double, .aggregate) }
        let unread = positions.names(under: "\(path).derive").filter { name in
            !query.derive.contains { $0.name == name }
        }
        for name in unread { define(name, .double, .derived) }
        for column in query.derive {
            let compiled = attempt("\(path).derive.\(column.name)") { () throws(ExpressionError) in
                try CompiledExpression(column.expression, in: &scope)
            }
            define(column.name, ColumnType(compiled?.type ?? .number), .derived)
        }
        if let having = query.having {
            _ = attempt("\(path).having") { () throws(ExpressionError) in
                try CompiledExpression(condition: having, for: "having", in: &scope)
            }
        }
        checkAnomalyColumns(query, scope.columns, path: path)
        checkImpactColumns(query, scope.columns, path: path)
    }

    mutating func attempt<T>(_ path: String, _ body: () throws(ExpressionError) -> T) -> T? {
        do throws(ExpressionError) {
            return try body()
        } catch {
            self.error(error, at: path)
            return nil
        }
    }
}
