/// Gives every part of an expression its type, its slot and its dependence; refuses what does not fit, at its place.
///
/// Types (JOBS.md): number, string, boolean; a boolean is 1 or 0 where a number is wanted; a string never is one.
struct TypeChecker<Scope: ColumnScope> {
    var scope: Scope

    mutating func check(_ expression: Expression) throws(ExpressionError) -> CheckedNode {
        switch expression.kind {
        case .literal(let literal): return Self.literal(literal)
        case .column(let reference): return try column(reference, at: expression.range)
        case .negate(let operand):
            return node(.function(.negate, try number(operand, for: "`-`")), .number)
        case .not(let operand): return node(.not(try condition(operand, for: "`not`")), .boolean)
        case .binary(let op, let left, let right): return try binary(op, left, right, at: expression.range)
        case .membership(let operand, let values, let isNegated):
            return try membership(operand, values, isNegated, at: expression.range)
        case .call(let function, let arguments): return try call(function, arguments, at: expression.range)
        }
    }

    // MARK: Nodes

    /// A node over its operands; one that depends on nothing is computed at once.
    func node(_ operation: CheckedNode.Operation, _ type: ValueType, isNullable: Bool? = nil) -> CheckedNode {
        let bare = CheckedNode(operation: operation, type: type, dependence: .constant, isNullable: true)
        let operands = bare.operands
        let dependence = operands.map(\.dependence).max() ?? .constant
        guard dependence > .constant else { return Self.literal(ScalarEvaluation(NoRow()).literal(of: bare)) }
        return CheckedNode(
            operation: operation, type: type, dependence: dependence,
            isNullable: isNullable ?? operands.contains { $0.isNullable })
    }

    static func literal(_ literal: ExpressionLiteral) -> CheckedNode {
        switch literal {
        case .null: CheckedNode(operation: .null, type: nil, dependence: .constant, isNullable: true)
        case .number(let value):
            CheckedNode(operation: .number(value), type: .number, dependence: .constant, isNullable: false)
        case .string(let value):
            CheckedNode(operation: .text(value), type: .string, dependence: .constant, isNullable: false)
        case .boolean(let value):
            CheckedNode(operation: .boolean(value), type: .boolean, dependence: .constant, isNullable: false)
        }
    }

    private mutating func column(_ reference: ColumnReference, at range: SourceRange) throws(ExpressionError)
        -> CheckedNode
    {
        switch scope.meaning(of: reference) {
        case .column(let slot):
            return CheckedNode(
                operation: .column(slot), type: slot.type, dependence: slot.dependence,
                isNullable: slot.isNullable || slot.type == .string)
        case .definition(let definition): return definition.root
        case nil:
            let names = scope.columnNames
            let hint = Suggestion.nearest(reference.description, among: names).map { "did you mean `\($0)`?" }
            throw ExpressionError(
                "unknown column `\(reference)`", at: range, hint: hint ?? "there is \(names.joined(separator: ", "))")
        }
    }

    // MARK: Operands of a type

    /// A number, a boolean as 1 or 0, or null.
    mutating func number(_ expression: Expression, for user: String) throws(ExpressionError) -> CheckedNode {
        let operand = try check(expression)
        guard operand.type == .string else { return operand }
        throw ExpressionError(
            "\(user) takes a number, \(Self.name(expression)) is a string", at: expression.range,
            hint: conversion(of: expression))
    }

    /// A string or null.
    mutating func text(_ expression: Expression, for user: String) throws(ExpressionError) -> CheckedNode {
        let operand = try check(expression)
        guard let type = operand.type, type != .string else { return operand }
        throw ExpressionError("\(user) takes a string, \(Self.name(expression)) is a \(type)", at: expression.range)
    }

    /// A boolean or null.
    mutating func condition(_ expression: Expression, for user: String) throws(ExpressionError) -> CheckedNode {
        let operand = try check(expression)
        guard let type = operand.type, type != .boolean else { return operand }
        throw ExpressionError(
            "\(user) takes a condition, \(Self.name(expression)) is a \(type)", at: expression.range,
            hint: type == .number ? "write `\(expression) != 0`" : "write `\(expression) != \"\"`")
    }

    private mutating func pattern(_ expression: Expression, for user: String) throws(ExpressionError) -> Re2Pattern {
        guard case .literal(.string(let text)) = expression.kind else {
            throw ExpressionError("\(user) takes a regular expression in quotes", at: expression.range)
        }
        do {
            return try Re2Pattern(text)
        } catch {
            throw ExpressionError(
                "this regular expression does not compile: \(error.description)", at: expression.range)
        }
    }

    /// What stands there, short enough for a message.
    static func name(_ expression: Expression) -> String {
        switch expression.kind {
        case .column, .literal: "`\(expression)`"
        case .call(let function, _): "`\(function.name)(…)`"
        default: "this"
        }
    }

    private func conversion(of expression: Expression) -> String {
        if case .column(let reference) = expression.kind,
            let near = Suggestion.nearest(reference.description, among: scope.columnNames)
        {
            return "did you mean `\(near)`? labels are strings; `number(\(expression))` converts"
        }
        return "`number(\(expression))` converts"
    }

    // MARK: Operators

    private mutating func binary(
        _ op: BinaryOperator, _ left: Expression, _ right: Expression, at range: SourceRange
    ) throws(ExpressionError) -> CheckedNode {
        let user = "`\(op.rawValue)`"
        switch op {
        case .or: return node(.or(try condition(left, for: user), try condition(right, for: user)), .boolean)
        case .and: return node(.and(try condition(left, for: user), try condition(right, for: user)), .boolean)
        case .add: return try arithmetic(.add, left, right, user)
        case .subtract: return try arithmetic(.subtract, left, right, user)
        case .multiply: return try arithmetic(.multiply, left, right, user)
        case .divide: return try arithmetic(.divide, left, right, user)
        case .remainder: return try arithmetic(.remainder, left, right, user)
        case .matches, .doesNotMatch:
            let operand = try text(left, for: user)
            let pattern = try pattern(right, for: user)
            return node(.match(operand, pattern, isNegated: op == .doesNotMatch), .boolean, isNullable: false)
        case .equal: return try comparison(.equal, op, left, right, at: range)
        case .notEqual: return try comparison(.notEqual, op, left, right, at: range)
        case .less: return try comparison(.less, op, left, right, at: range)
        case .lessOrEqual: return try comparison(.lessOrEqual, op, left, right, at: range)
        case .greater: return try comparison(.greater, op, left, right, at: range)
        case .greaterOrEqual: return try comparison(.greaterOrEqual, op, left, right, at: range)
        }
    }

    private mutating func arithmetic(
        _ operation: CheckedNode.Arithmetic, _ left: Expression, _ right: Expression, _ user: String
    ) throws(ExpressionError) -> CheckedNode {
        node(.arithmetic(operation, try number(left, for: user), try number(right, for: user)), .number)
    }

    private mutating func comparison(
        _ comparison: CheckedNode.Comparison, _ op: BinaryOperator, _ left: Expression, _ right: Expression,
        at range: SourceRange
    ) throws(ExpressionError) -> CheckedNode {
        let a = try check(left)
        let b = try check(right)
        switch (a.type, b.type) {
        case (let other?, nil), (nil, let other?):
            let operand = a.type == nil ? b : a
            switch comparison {
            case .equal: return nullTest(.isNull(operand), of: operand, other, ifNever: false)
            case .notEqual: return nullTest(.isNotNull(operand), of: operand, other, ifNever: true)
            case .less, .lessOrEqual, .greater, .greaterOrEqual: return Self.literal(.boolean(false))
            }
        case (nil, nil): return Self.literal(.boolean(comparison == .equal))
        case (.string, .string): return node(.compareTexts(comparison, a, b), .boolean, isNullable: false)
        case (.string, _), (_, .string):
            let (string, other) = a.type == .string ? (left, right) : (right, left)
            let otherType = a.type == .string ? b.type : a.type
            var hint = conversion(of: string)
            if case .literal(.number) = other.kind { hint += ", or write \"\(other)\"" }
            throw ExpressionError(
                "`\(op.rawValue)` compares \(Self.name(string)), a string, with "
                    + "\(Self.name(other)), a \((otherType ?? .number).rawValue)", at: range, hint: hint)
        default: return node(.compareNumbers(comparison, a, b), .boolean, isNullable: false)
        }
    }

    /// A test for null; of a number that is never null its answer is known.
    private func nullTest(
        _ operation: CheckedNode.Operation, of operand: CheckedNode, _ type: ValueType, ifNever: Bool
    ) -> CheckedNode {
        guard operand.isNullable || type == .string else { return Self.literal(.boolean(ifNever)) }
        return node(operation, .boolean, isNullable: false)
    }

    private mutating func membership(
        _ operand: Expression, _ values: [ExpressionLiteral], _ isNegated: Bool, at range: SourceRange
    ) throws(ExpressionError) -> CheckedNode {
        let tested = try check(operand)
        var numbers: [Double] = []
        var texts: Set<ByteString> = []
        var takesNull = false
        for value in values {
            let fits: Bool
            switch value {
            case .null:
                takesNull = true
                fits = true
            case .number(let number):
                numbers.append(number)
                fits = tested.type != .string
            case .boolean(let flag):
                numbers.append(flag ? 1 : 0)
                fits = tested.type != .string
            case .string(let text):
                texts.insert(text)
                fits = tested.type == .string || tested.type == nil
            }
            guard fits else {
                let shown = ExpressionPrinter.literal(value)
                throw ExpressionError(
                    "`in` compares \(Self.name(operand)), a \(tested.type?.rawValue ?? "null"), with `\(shown)`",
                    at: range,
                    hint: tested.type == .string ? "write \"\(shown)\"" : "write the number without quotes")
            }
        }
        let listed: CheckedNode =
            tested.type == .string
            ? node(.textIn(tested, texts, isNegated: isNegated), .boolean, isNullable: false)
            : node(.numberIn(tested, numbers, isNegated: isNegated), .boolean, isNullable: false)
        guard takesNull, let type = tested.type else {
            return tested.type == nil ? Self.literal(.boolean(takesNull != isNegated)) : listed
        }
        return isNegated
            ? node(.and(listed, nullTest(.isNotNull(tested), of: tested, type, ifNever: true)), .boolean)
            : node(.or(listed, nullTest(.isNull(tested), of: tested, type, ifNever: false)), .boolean)
    }

    // MARK: Functions

    private mutating func call(
        _ name: Expression.FunctionName, _ arguments: [Expression], at range: SourceRange
    ) throws(ExpressionError) -> CheckedNode {
        guard let function = ScalarFunction(rawValue: name.name) else {
            let names = ScalarFunction.allCases.map(\.rawValue)
            let near = Suggestion.nearest(name.name, among: names).map { "did you mean `\($0)`?" }
            throw ExpressionError(
                "unknown function `\(name.name)`", at: name.range,
                hint: near ?? "functions: \(names.joined(separator: " "))")
        }
        guard function.argumentCount.contains(arguments.count) else {
            throw ExpressionError(
                "`\(name.name)` is given \(arguments.count) argument\(arguments.count == 1 ? "" : "s")", at: range,
                hint: wording(function))
        }
        let user = "`\(name.name)`"
        switch function {
        case .abs: return node(.function(.abs, try number(arguments[0], for: user)), .number)
        case .floor: return node(.function(.floor, try number(arguments[0], for: user)), .number)
        case .ceil: return node(.function(.ceil, try number(arguments[0], for: user)), .number)
        case .round: return node(.function(.round, try number(arguments[0], for: user)), .number)
        case .sqrt: return node(.function(.sqrt, try number(arguments[0], for: user)), .number)
        case .ln: return node(.function(.ln, try number(arguments[0], for: user)), .number)
        case .log2: return node(.function(.log2, try number(arguments[0], for: user)), .number)
        case .log10: return node(.function(.log10, try number(arguments[0], for: user)), .number)
        case .exp: return node(.function(.exp, try number(arguments[0], for: user)), .number)
        case .min, .max:
            var operands: [CheckedNode] = []
            for argument in arguments { operands.append(try number(argument, for: user)) }
            let isNullable = operands.allSatisfy(\.isNullable)
            return node(function == .min ? .least(operands) : .greatest(operands), .number, isNullable: isNullable)
        case .coalesce:
            let (operands, type) = try unified(arguments, for: user)
            return node(.coalesce(operands), type, isNullable: operands.allSatisfy(\.isNullable))
        case .if:
            let test = try condition(arguments[0], for: user)
            let (branches, type) = try unified(Array(arguments.dropFirst()), for: user)
            return node(
                .conditional(test, branches[0], branches[1]), type,
                isNullable: branches[0].isNullable || branches[1].isNullable)
        case .number:
            let operand = try check(arguments[0])
            guard operand.type == .string else { return node(.function(.identity, operand), .number) }
            return node(.parseNumber(operand), .number, isNullable: true)
        case .lower: return node(.lower(try text(arguments[0], for: user)), .string)
        case .upper: return node(.upper(try text(arguments[0], for: user)), .string)
        case .contains: return try predicate(.contains, arguments, user)
        case .startsWith: return try predicate(.startsWith, arguments, user)
        case .endsWith: return try predicate(.endsWith, arguments, user)
        case .extract:
            let operand = try text(arguments[0], for: user)
            return node(.extract(operand, try pattern(arguments[1], for: user)), .string)
        }
    }

    private func wording(_ function: ScalarFunction) -> String {
        let usage = "write `\(function.signature)`"
        guard function == .min || function == .max else { return usage }
        return "\(usage); over the samples of a window it is `\(function.rawValue)_over_time(x)`"
    }

    private mutating func predicate(
        _ predicate: CheckedNode.TextPredicate, _ arguments: [Expression], _ user: String
    ) throws(ExpressionError) -> CheckedNode {
        node(
            .textPredicate(predicate, try text(arguments[0], for: user), try text(arguments[1], for: user)), .boolean,
            isNullable: false)
    }

    /// Arguments that must have one type; booleans among numbers count as numbers. All null: a number.
    private mutating func unified(
        _ arguments: [Expression], for user: String
    ) throws(ExpressionError) -> ([CheckedNode], ValueType) {
        var operands: [CheckedNode] = []
        var type: ValueType?
        for argument in arguments {
            let operand = try check(argument)
            operands.append(operand)
            guard let own = operand.type else { continue }
            if let known = type, known != own {
                guard known != .string, own != .string else {
                    throw ExpressionError(
                        "\(user) mixes a \(known) with \(Self.name(argument)), a \(own)", at: argument.range,
                        hint: "all its values must have one type; `number(x)` converts")
                }
                type = .number
            } else {
                type = own
            }
        }
        return (operands, type ?? .number)
    }
}

extension ValueType: CustomStringConvertible {
    /// `number`, `string` or `boolean`.
    public var description: String { rawValue }
}
