extension AggregateCall {
    /// Reads `outer(inner(expr)) where condition` (JOBS.md `agg`).
    ///
    /// A call inside whose name is no scalar function is the inner, per-series function.
    public static func parse(_ text: String) throws(ExpressionError) -> AggregateCall {
        var parser = try ExpressionParser(text)
        let call = try parser.aggregateCall()
        try parser.expectEnd()
        return call
    }
}

extension ExpressionParser {
    fileprivate mutating func aggregateCall() throws(ExpressionError) -> AggregateCall {
        guard case .word(let name) = token, !ExpressionLexer.keywords.contains(name) else {
            throw unexpected("an aggregate such as avg(value)")
        }
        let function = Expression.FunctionName(name, at: range)
        try advance()
        guard isSymbol("(") else {
            throw ExpressionError(
                "`\(name)` is not an aggregate call", at: function.range,
                hint: "write `\(name)(…)`, such as `avg(value)`")
        }
        try advance()
        var arguments: [Expression] = []
        while !isSymbol(")") {
            arguments.append(try expression())
            guard isSymbol(",") else { break }
            try advance()
            if isSymbol(")") { throw unexpected("a value") }
        }
        try expect(")", arguments.isEmpty ? "a value or `)`" : "`,` or `)`")
        let whole = rangeFrom(function.range)
        guard arguments.count <= 2 else {
            throw ExpressionError(
                "`\(name)` is given \(arguments.count) arguments", at: arguments[2].range,
                hint:
                    "an aggregate takes one value, behind a number where it has a parameter: quantile(0.9, value)"
            )
        }
        var parameter: NumberParameter?
        if arguments.count == 2 {
            parameter = try Self.number(arguments.removeFirst(), wanted: "the first argument of `\(name)`")
        }
        let (inner, argument) = try Self.split(arguments.first)
        var filter: Expression?
        if isWord("where") {
            try advance()
            let condition = try expression()
            try Self.refusePerSeries(in: condition, "a `where` condition")
            filter = condition
        } else if token != .end, !isSymbol(")") {
            throw unexpected("`where` or the end")
        }
        return AggregateCall(
            function: function, parameter: parameter, inner: inner, argument: argument, filter: filter, range: whole)
    }

    private static func split(
        _ argument: Expression?
    ) throws(ExpressionError) -> (inner: InnerCall?, argument: Expression?) {
        guard let argument else { return (nil, nil) }
        guard case .call(let function, var arguments) = argument.kind, ScalarFunction(rawValue: function.name) == nil
        else {
            try refusePerSeries(in: argument, "an expression")
            return (nil, argument)
        }
        guard !arguments.isEmpty else {
            throw ExpressionError(
                "`\(function.name)` is given no value", at: argument.range, hint: "write `\(function.name)(value)`")
        }
        var leading: NumberParameter?
        if arguments.count > 1, let first = literalNumber(arguments[0]) {
            leading = first
            arguments.removeFirst()
        }
        let operand = arguments.removeFirst()
        try refusePerSeries(in: operand, "the argument of `\(function.name)`")
        var trailing: [NumberParameter] = []
        for argument in arguments {
            trailing.append(try number(argument, wanted: "a parameter of `\(function.name)`"))
        }
        let inner = InnerCall(
            function: function, leading: leading, argument: operand, trailing: trailing, range: argument.range)
        return (inner, nil)
    }

    private static func literalNumber(_ expression: Expression) -> NumberParameter? {
        switch expression.kind {
        case .literal(.number(let value)): NumberParameter(value, at: expression.range)
        case .negate(let operand):
            if case .literal(.number(let value)) = operand.kind {
                NumberParameter(-value, at: expression.range)
            } else {
                nil
            }
        default: nil
        }
    }

    private static func number(_ expression: Expression, wanted: String) throws(ExpressionError) -> NumberParameter {
        guard let number = literalNumber(expression) else {
            throw ExpressionError("\(wanted) must be a number, such as 0.9", at: expression.range)
        }
        return number
    }

    /// Scalar functions only: a per-series function deeper inside would have no window of its own.
    private static func refusePerSeries(in expression: Expression, _ place: String) throws(ExpressionError) {
        switch expression.kind {
        case .literal, .column: return
        case .negate(let operand), .not(let operand), .membership(let operand, _, _):
            try refusePerSeries(in: operand, place)
        case .binary(_, let left, let right):
            try refusePerSeries(in: left, place)
            try refusePerSeries(in: right, place)
        case .call(let function, let arguments):
            guard ScalarFunction(rawValue: function.name) != nil else { throw unknownFunction(function, in: place) }
            for argument in arguments { try refusePerSeries(in: argument, place) }
        }
    }

    private static func unknownFunction(
        _ function: Expression.FunctionName, in place: String
    ) -> ExpressionError {
        let names = ScalarFunction.allCases.map(\.rawValue)
        let hint =
            Suggestion.nearest(function.name, among: names).map { "did you mean `\($0)`?" }
            ?? "a per-series function stands directly inside the aggregate: avg(\(function.name)(value)); "
            + "compute with the result under `derive`"
        return ExpressionError("`\(function.name)` is no scalar function for \(place)", at: function.range, hint: hint)
    }
}
