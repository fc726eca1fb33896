extension JobCheck {
    /// Warns where a counter is aggregated as if it were a gauge, and the reverse. A counter is told by its name
    /// (`_total`, `_count`, `_sum`, `_bucket`: the suffixes of OpenMetrics); what `# TYPE` says only data can tell.
    mutating func checkCounters(_ aggregate: NamedAggregate, of query: QueryDefinition, path: String) {
        let names = Self.metricNames(query)
        guard !names.isEmpty else { return }
        let call = aggregate.call
        if let inner = call.inner {
            guard let function = registries.seriesFunction(inner.function.name),
                let wantsCounter = function.expectsCounter,
                let odd = names.first(where: { Self.isCounter($0) != wantsCounter })
            else { return }
            warn(
                wantsCounter
                    ? "`\(function.name)` is for counters; \(odd) does not look like one"
                    : "`\(function.name)` is for gauges; \(odd) looks like a counter",
                label: wantsCounter ? "for a gauge: delta, deriv, avg_over_time …" : "for a counter: rate, increase …",
                at: inner.function.range, path: path)
            return
        }
        // Counting a counter's samples, or picking one, means something; doing sums with its value does not.
        let harmless = ["count", "approx_distinct", "first", "last"]
        guard !harmless.contains(call.function.name), registries.aggregate(call.function.name) != nil,
            let argument = call.argument, argument.columns.contains(where: { $0.name == "value" && !$0.isLabel }),
            let counter = names.first(where: { Self.isCounter($0) })
        else { return }
        warn(
            "\(counter) looks like a counter, which only ever rises: its `\(call.function.name)` means nothing",
            label: "such as \(call.function.name)(rate(\(argument)))", at: call.range, path: path)
    }

    private mutating func warn(_ message: String, label: String, at range: SourceRange, path: String) {
        diagnostics.append(
            Diagnostic(
                .warning, message, path: path,
                span: positions.span(path, offset: range.offset, length: range.length), label: label))
    }

    static func isCounter(_ name: String) -> Bool {
        ["_total", "_count", "_sum", "_bucket"].contains { name.hasSuffix($0) }
    }

    /// The metric names a query's selector asks for, where it names them: `x`, or `{__name__=~"x|y"}`.
    static func metricNames(_ query: QueryDefinition) -> [String] {
        guard let select = query.select else { return [] }
        if let name = select.metricName { return [name.description] }
        for matcher in select.matchers where matcher.label == LabelMatcher.metricName && matcher.operation == .matches {
            let parts = matcher.value.description.split(separator: "|", omittingEmptySubsequences: false).map(
                String.init)
            let isPlain = parts.allSatisfy { part in
                !part.isEmpty
                    && part.utf8.allSatisfy { ExpressionLexer.isIdentifierPart($0) || $0 == UInt8(ascii: ":") }
            }
            // Aggregates tell several metrics apart by a filter on the name, which is not looked into here.
            return isPlain && parts.allSatisfy({ isCounter($0) == isCounter(parts[0]) }) ? parts : []
        }
        return []
    }
}
