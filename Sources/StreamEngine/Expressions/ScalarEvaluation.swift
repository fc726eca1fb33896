/// Evaluates a checked expression over one row.
///
/// Null (SEMANTICS §8 "Missing label", JOBS.md): a null text counts as `""` but for `coalesce` and the tests for null;
/// arithmetic with a null number is null; comparing one is false; `and`, `or`, `not` follow SQL's three values.
struct ScalarEvaluation<Row: ExpressionRow> {
    private let row: Row

    init(_ row: Row) { self.row = row }

    /// The value, of the node's type.
    func value(of node: CheckedNode) -> Value {
        switch node.type {
        case nil: .null
        case .number: number(node).map { .number($0) } ?? .null
        case .string: text(node).map { .text($0) } ?? .null
        case .boolean: truth(node).map { .boolean($0) } ?? .null
        }
    }

    /// The value as a literal.
    func literal(of node: CheckedNode) -> ExpressionLiteral {
        switch value(of: node) {
        case .null: .null
        case .number(let value): .number(value)
        case .text(let value): .string(value)
        case .boolean(let value): .boolean(value)
        }
    }

    /// A number, or a boolean as 1 or 0; nil is null.
    func number(_ node: CheckedNode) -> Double? {
        switch node.operation {
        case .number(let value): return value
        case .column(let slot):
            switch row.value(slot: slot.slot) {
            case .number(let value): return value
            case .boolean(let value): return value ? 1 : 0
            case .null, .text: return nil
            }
        case .function(let function, let operand): return number(operand).map { NumberKernel.apply(function, $0) }
        case .arithmetic(let operation, let left, let right):
            guard let a = number(left), let b = number(right) else { return nil }
            return NumberKernel.apply(operation, a, b)
        case .conditional(let test, let yes, let no): return number(truth(test) == true ? yes : no)
        case .coalesce(let operands):
            for operand in operands { if let value = number(operand) { return value } }
            return nil
        case .least(let operands): return extreme(operands, NumberKernel.least)
        case .greatest(let operands): return extreme(operands, NumberKernel.greatest)
        case .parseNumber(let operand): return text(operand).flatMap(NumberText.parse)
        default: return truth(node).map { $0 ? 1 : 0 }
        }
    }

    private func extreme(_ operands: [CheckedNode], _ pick: (Double, Double) -> Double) -> Double? {
        var best: Double?
        for operand in operands {
            guard let value = number(operand) else { continue }
            best = best.map { pick($0, value) } ?? value
        }
        return best
    }

    /// A condition's value; nil is null.
    func truth(_ node: CheckedNode) -> Bool? {
        switch node.operation {
        case .boolean(let value): return value
        case .column(let slot):
            if case .boolean(let value) = row.value(slot: slot.slot) { return value }
            return nil
        case .compareNumbers(let comparison, let left, let right):
            guard let a = number(left), let b = number(right) else { return false }
            return NumberKernel.apply(comparison, a, b)
        case .compareTexts(let comparison, let left, let right):
            let (a, b) = (operatorText(left), operatorText(right))
            switch comparison {
            case .equal: return a == b
            case .notEqual: return a != b
            case .less: return a < b
            case .lessOrEqual: return a <= b
            case .greater: return a > b
            case .greaterOrEqual: return a >= b
            }
        case .isNull(let operand): return isNull(operand)
        case .isNotNull(let operand): return !isNull(operand)
        case .match(let operand, let pattern, let isNegated):
            return pattern.matchesWhole(operatorText(operand)) != isNegated
        case .numberIn(let operand, let values, let isNegated):
            guard let value = number(operand) else { return false }
            return values.contains(value) != isNegated
        case .textIn(let operand, let values, let isNegated): return values.contains(operatorText(operand)) != isNegated
        case .and(let left, let right):
            let a = truth(left)
            if a == false { return false }
            let b = truth(right)
            return b == false ? false : (a == nil || b == nil ? nil : true)
        case .or(let left, let right):
            let a = truth(left)
            if a == true { return true }
            let b = truth(right)
            return b == true ? true : (a == nil || b == nil ? nil : false)
        case .not(let operand): return truth(operand).map { !$0 }
        case .textPredicate(let predicate, let left, let right):
            let (a, b) = (operatorText(left).bytes, operatorText(right).bytes)
            switch predicate {
            case .contains: return Self.contains(a, b)
            case .startsWith: return a.starts(with: b)
            case .endsWith: return a.count >= b.count && a[(a.count - b.count)...].elementsEqual(b)
            }
        case .conditional(let test, let yes, let no): return truth(truth(test) == true ? yes : no)
        case .coalesce(let operands):
            for operand in operands { if let value = truth(operand) { return value } }
            return nil
        default: return nil
        }
    }

    /// A text; nil is null (a missing label).
    func text(_ node: CheckedNode) -> ByteString? {
        switch node.operation {
        case .text(let value): return value
        case .column(let slot):
            if case .text(let value) = row.value(slot: slot.slot) { return value }
            return nil
        case .conditional(let test, let yes, let no): return text(truth(test) == true ? yes : no)
        case .coalesce(let operands):
            for operand in operands { if let value = text(operand) { return value } }
            return nil
        case .lower(let operand): return ByteString(operatorText(operand).description.lowercased())
        case .upper(let operand): return ByteString(operatorText(operand).description.uppercased())
        case .extract(let operand, let pattern): return pattern.extract(from: operatorText(operand)) ?? .empty
        default: return nil
        }
    }

    /// A text as operators see it: null is `""`.
    private func operatorText(_ node: CheckedNode) -> ByteString { text(node) ?? .empty }

    private func isNull(_ node: CheckedNode) -> Bool {
        switch node.type {
        case nil: true
        case .number: number(node) == nil
        case .string: text(node) == nil
        case .boolean: truth(node) == nil
        }
    }

    /// O(text · part) at worst; both are short.
    private static func contains(_ text: [UInt8], _ part: [UInt8]) -> Bool {
        guard part.count <= text.count else { return false }
        return (0...(text.count - part.count)).contains { text[$0...].starts(with: part) }
    }
}
