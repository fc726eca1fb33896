/// A checked expression: every operation knows its operands' types, every column is a slot, every regex is compiled.
struct CheckedNode: Sendable {
    /// A comparison of two numbers or two texts.
    enum Comparison: Sendable {
        case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
    }

    enum Arithmetic: Sendable {
        case add, subtract, multiply, divide, remainder
    }

    enum NumberFunction: Sendable {
        case identity, negate, abs, floor, ceil, round, sqrt, ln, log2, log10, exp
    }

    enum TextPredicate: Sendable {
        case contains, startsWith, endsWith
    }

    /// Operands called a number may be booleans, 1 and 0.
    indirect enum Operation: Sendable {
        case null
        case number(Double)
        case text(ByteString)
        case boolean(Bool)
        case column(ColumnSlot)
        case function(NumberFunction, CheckedNode)
        case arithmetic(Arithmetic, CheckedNode, CheckedNode)
        case compareNumbers(Comparison, CheckedNode, CheckedNode)
        case compareTexts(Comparison, CheckedNode, CheckedNode)
        case isNull(CheckedNode)
        case isNotNull(CheckedNode)
        case match(CheckedNode, Re2Pattern, isNegated: Bool)
        case numberIn(CheckedNode, [Double], isNegated: Bool)
        case textIn(CheckedNode, Set<ByteString>, isNegated: Bool)
        case and(CheckedNode, CheckedNode)
        case or(CheckedNode, CheckedNode)
        case not(CheckedNode)
        case conditional(CheckedNode, CheckedNode, CheckedNode)
        case coalesce([CheckedNode])
        case least([CheckedNode])
        case greatest([CheckedNode])
        case parseNumber(CheckedNode)
        case lower(CheckedNode)
        case upper(CheckedNode)
        case textPredicate(TextPredicate, CheckedNode, CheckedNode)
        case extract(CheckedNode, Re2Pattern)
    }

    let operation: Operation
    /// nil for `null` itself, which fits every type.
    let type: ValueType?
    let dependence: Dependence
    /// Whether it may be null (numbers and booleans); texts always may.
    let isNullable: Bool
    /// Levels of the tree, 1 for a leaf, definitions included.
    let height: Int
    /// Operations of the tree, definitions counted wherever they are used; stops at `sizeMax`.
    let size: Int

    /// Bounds the stack of what walks a tree.
    static let heightMax = 600
    /// Bounds the time of one evaluation: definitions that use each other twice would double it at every step.
    static let sizeMax = 20_000

    init(operation: Operation, type: ValueType?, dependence: Dependence, isNullable: Bool) {
        self.operation = operation
        self.type = type
        self.dependence = dependence
        self.isNullable = isNullable
        var height = 0
        var size = 1
        for operand in Self.operands(of: operation) {
            height = max(height, operand.height)
            size = min(size + operand.size, Self.sizeMax)
        }
        self.height = height + 1
        self.size = size
    }

    /// The operands, in order.
    var operands: [CheckedNode] { Self.operands(of: operation) }

    static func operands(of operation: Operation) -> [CheckedNode] {
        switch operation {
        case .null, .number, .text, .boolean, .column: []
        case .function(_, let a), .isNull(let a), .isNotNull(let a), .match(let a, _, _), .numberIn(let a, _, _),
            .textIn(let a, _, _), .not(let a), .parseNumber(let a), .lower(let a), .upper(let a), .extract(let a, _):
            [a]
        case .arithmetic(_, let a, let b), .compareNumbers(_, let a, let b), .compareTexts(_, let a, let b),
            .and(let a, let b), .or(let a, let b), .textPredicate(_, let a, let b):
            [a, b]
        case .conditional(let a, let b, let c): [a, b, c]
        case .coalesce(let list), .least(let list), .greatest(let list): list
        }
    }
}
