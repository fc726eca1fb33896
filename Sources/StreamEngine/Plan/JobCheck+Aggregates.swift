extension JobCheck {
    /// Names and parameters of an aggregate call against the registries; whether types can be looked at after that.
    mutating func checkCall(_ aggregate: NamedAggregate, kind: RecordKind, path: String) -> Bool {
        let call = aggregate.call
        let name = call.function.name
        if let outer = registries.aggregate(name) {
            return checkOuter(call, outer, kind: kind, path: path)
        }
        if let buckets = registries.bucketAggregate(name) {
            return checkBuckets(call, buckets, kind: kind, path: path)
        }
        let names = registries.aggregates.map { $0.name } + registries.bucketAggregates.map { $0.name }
        if registries.seriesFunction(name) != nil {
            let argument = call.argument.map { "\($0)" } ?? "value"
            error(
                ExpressionError(
                    "`\(name)` gives a value for each series; an aggregate over the series goes around it",
                    at: call.function.range, hint: "such as avg(\(name)(\(argument)))"), at: path)
            return false
        }
        let span = positions.span(path, offset: call.function.range.offset, length: call.function.range.length)
        diagnostics.append(
            Diagnostic(
                "unknown aggregate `\(name)`", path: path, span: span, label: Self.didYouMean(name, names),
                notes: ["aggregates: \(names.joined(separator: " "))"]))
        return false
    }

    private mutating func checkOuter(
        _ call: AggregateCall, _ outer: any Aggregate.Type, kind: RecordKind, path: String
    ) -> Bool {
        let name = outer.name
        if let range = outer.parameter {
            guard let parameter = call.parameter else {
                error(
                    ExpressionError(
                        "`\(name)` takes a number before its argument", at: call.range,
                        hint: "such as \(name)(\(Self.example(range)), value)"), at: path)
                return false
            }
            guard range.contains(parameter.value) else {
                error(
                    ExpressionError(
                        "`\(name)` takes a number from \(Self.number(range.lowerBound)) to \(Self.number(range.upperBound))",
                        at: parameter.range), at: path)
                return false
            }
        } else if let parameter = call.parameter {
            error(
                ExpressionError(
                    "`\(name)` takes no number before its argument", at: parameter.range, hint: "write \(name)(value)"),
                at: path)
            return false
        }
        if call.argument == nil, call.inner == nil {
            if case .optional = outer.argument { return true }
            error(
                ExpressionError("`\(name)` needs an argument", at: call.range, hint: "write \(name)(value)"), at: path)
            return false
        }
        return call.inner.map { checkInner($0, kind: kind, path: path) } ?? true
    }

    private mutating func checkBuckets(
        _ call: AggregateCall, _ outer: any BucketAggregate.Type, kind: RecordKind, path: String
    ) -> Bool {
        let name = outer.name
        let parameter = outer.parameter
        guard let inner = call.inner, let value = call.parameter else {
            error(
                ExpressionError(
                    "`\(name)` takes \(parameter.name) and a per-series function over the buckets", at: call.range,
                    hint: "such as \(name)(\(Self.example(parameter.usualRange)), rate(value))"), at: path)
            return false
        }
        guard checkParameter(value, parameter, of: name, path: path) else { return false }
        return checkInner(inner, kind: kind, path: path)
    }

    private mutating func checkInner(_ inner: InnerCall, kind: RecordKind, path: String) -> Bool {
        let name = inner.function.name
        guard let function = registries.seriesFunction(name) else {
            let names = registries.seriesFunctions.map { $0.name }
            let scalar = ScalarFunction.allCases.map(\.rawValue)
            let near = Self.didYouMean(name, names + scalar)
            let span = positions.span(path, offset: inner.function.range.offset, length: inner.function.range.length)
            diagnostics.append(
                Diagnostic(
                    "unknown function `\(name)`", path: path, span: span, label: near,
                    notes: ["per-series functions: \(names.joined(separator: " "))"]))
            return false
        }
        if kind == .events {
            error(
                ExpressionError("`\(name)` is for samples; this source has events", at: inner.function.range), at: path)
            return false
        }
        let given = (inner.leading.map { [$0] } ?? []) + inner.trailing
        guard let parameter = function.parameter else {
            guard let extra = given.first else { return true }
            error(ExpressionError("`\(name)` takes no number", at: extra.range, hint: "write \(name)(value)"), at: path)
            return false
        }
        let isLeading = parameter.position == .leading
        let example = Self.example(parameter.usualRange)
        let usage = isLeading ? "\(name)(\(example), value)" : "\(name)(value, \(example))"
        guard given.count == 1, let value = given.first, (inner.leading != nil) == isLeading else {
            error(
                ExpressionError(
                    "`\(name)` takes one number, \(parameter.name), \(isLeading ? "before" : "after") its argument",
                    at: inner.range, hint: "such as \(usage)"), at: path)
            return false
        }
        return checkParameter(value, parameter, of: name, path: path)
    }

    private mutating func checkParameter(
        _ value: NumberParameter, _ parameter: SeriesFunctionParameter, of name: String, path: String
    ) -> Bool {
        guard parameter.range.contains(value.value) else {
            let range = "\(Self.number(parameter.range.lowerBound)) to \(Self.number(parameter.range.upperBound))"
            error(ExpressionError("\(parameter.name) of `\(name)` lies in \(range)", at: value.range), at: path)
            return false
        }
        if !parameter.usualRange.contains(value.value) {
            let usual =
                "\(Self.number(parameter.usualRange.lowerBound)) to \(Self.number(parameter.usualRange.upperBound))"
            diagnostics.append(
                Diagnostic(
                    .warning, "\(parameter.name) of `\(name)` is \(Self.number(value.value))", path: path,
                    span: positions.span(path, offset: value.range.offset, length: value.range.length),
                    label: "it is usually \(usual)"))
        }
        return true
    }

    private static func example(_ range: ClosedRange<Double>) -> String {
        range.contains(0.9) && range.upperBound <= 1 ? "0.9" : range.contains(600) ? "600" : number(range.lowerBound)
    }

    private static func number(_ value: Double) -> String {
        if value == value.rounded(), abs(value) < 1e15 { return "\(Int64(value))" }
        return "\(value)"
    }
}
