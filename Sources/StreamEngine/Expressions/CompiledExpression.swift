/// An expression checked against a scope, ready to be evaluated from any thread.
///
/// Over a result row, or once for a series, use `value(_:)`:
/// ```swift
/// var scope = SampleScope()
/// let node = try CompiledExpression(ExpressionParser.parse(#"extract(instance, "^([^:]+)")"#), in: &scope)
/// node.type             // .string
/// node.dependence       // .perSeries: evaluate it when the series is first seen
/// node.value(seriesRow) // asks seriesRow.value(slot: 6), the first label met: scope.labels[0] is "instance"
/// ```
/// Over the rows of a batch, use `vectorProgram`, where there is one:
/// ```swift
/// let load = try CompiledExpression(ExpressionParser.parse("value / number(cores) >= 0.5"), in: &scope)
/// if let program = load.vectorProgram { … }    // see VectorProgram
/// ```
public struct CompiledExpression: Sendable {
    let root: CheckedNode
    /// The type of its values; `number` for one that is always null.
    public let type: ValueType
    /// How often it must be evaluated.
    public let dependence: Dependence
    /// Whether it may be null where its inputs are what their slots promise. A text may be null whenever it reads a
    /// label.
    public let isNullable: Bool
    /// The slots it reads, in increasing order.
    public let slots: [Int]
    /// Its evaluation over columns, for numbers and booleans of each row whose inputs of each row are numbers; nil for
    /// others, which are evaluated series by series or row by row.
    public let vectorProgram: VectorProgram?

    /// Checks `expression` against `scope`.
    public init(_ expression: Expression, in scope: inout some ColumnScope) throws(ExpressionError) {
        var checker = TypeChecker(scope: scope)
        let root = try checker.check(expression)
        scope = checker.scope
        try self.init(root, from: expression)
    }

    /// Checks `expression` as a condition (`where`, `having`): a boolean. Null counts as false.
    /// - Parameter place: who asks, such as `where`, for messages.
    public init(
        condition expression: Expression, for place: String, in scope: inout some ColumnScope
    ) throws(ExpressionError) {
        var checker = TypeChecker(scope: scope)
        let root = try checker.condition(expression, for: "`\(place)`")
        scope = checker.scope
        try self.init(root, from: expression)
    }

    /// Checks `expression` as an aggregate's number argument: a number, or a boolean as 1 and 0.
    /// - Parameter user: who asks, such as `avg`, for messages.
    public init(
        number expression: Expression, for user: String, in scope: inout some ColumnScope
    ) throws(ExpressionError) {
        var checker = TypeChecker(scope: scope)
        let root = try checker.number(expression, for: "`\(user)`")
        scope = checker.scope
        try self.init(root, from: expression)
    }

    private init(_ root: CheckedNode, from expression: Expression) throws(ExpressionError) {
        guard root.height <= CheckedNode.heightMax, root.size < CheckedNode.sizeMax else {
            throw ExpressionError(
                "with the columns it uses, this expression has \(root.size) operations in \(root.height) levels",
                at: expression.range,
                hint:
                    "the limits are \(CheckedNode.sizeMax) and \(CheckedNode.heightMax): use fewer columns of columns"
            )
        }
        self.root = root
        type = root.type ?? .number
        dependence = root.dependence
        isNullable = root.isNullable
        var slots: Set<Int> = []
        func visit(_ node: CheckedNode) {
            if case .column(let slot) = node.operation { slots.insert(slot.slot) }
            for operand in node.operands { visit(operand) }
        }
        visit(root)
        self.slots = slots.sorted()
        vectorProgram = VectorProgram(root)
    }

    /// The column it is, where it is nothing but one.
    public var onlySlot: Int? {
        if case .column(let slot) = root.operation { slot.slot } else { nil }
    }

    /// Its value over one row, of its type or null.
    public func value(_ row: some ExpressionRow) -> Value { ScalarEvaluation(row).value(of: root) }

    /// Its value as a number, a boolean as 1 or 0; nil for null. For expressions that are no string.
    public func number(_ row: some ExpressionRow) -> Double? { ScalarEvaluation(row).number(root) }

    /// Whether a condition holds; null does not.
    public func isTrue(_ row: some ExpressionRow) -> Bool { ScalarEvaluation(row).truth(root) ?? false }

    /// The value of an expression that reads nothing (`dependence == .constant`).
    public var constant: Value? {
        guard dependence == .constant else { return nil }
        return ScalarEvaluation(NoRow()).value(of: root)
    }

    /// The slot, where the expression is nothing but a column.
    public var columnSlot: Int? {
        guard case .column(let slot) = root.operation else { return nil }
        return slot.slot
    }
}

/// The row of expressions that read none.
struct NoRow: ExpressionRow {
    func value(slot: Int) -> Value { .null }
}
