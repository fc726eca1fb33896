/// Turns a checked tree into a list of instructions, left operand first; registers are used as a stack.
struct VectorLowering {
    private(set) var instructions: [VectorProgram.Instruction] = []
    private(set) var hoisted: [CheckedNode] = []
    private(set) var inputSlots: [Int] = []
    private(set) var registerCount = 0

    /// Instructions that leave a node's numbers in the operand returned: `register` itself, a column or a constant. nil
    /// where the node reads a text of each row.
    mutating func lower(_ node: CheckedNode, into register: Int) -> VectorProgram.Operand? {
        switch node.dependence {
        case .constant:
            guard node.type != .string else { return nil }
            return .constant(ScalarEvaluation(NoRow()).number(node) ?? NullNumber.value)
        case .perSeries:
            // A label's text is used by a text operation, which is hoisted whole if it is of the series.
            guard node.type != .string else { return nil }
            hoisted.append(node)
            return emit(.gather(hoisted: hoisted.count - 1), over: [], into: register)
        case .perRow: return lowerRow(node, into: register)
        }
    }

    private mutating func emit(
        _ operation: VectorProgram.Instruction.Operation, over operands: [CheckedNode], into register: Int
    ) -> VectorProgram.Operand {
        let isNullable = operands.contains { $0.isNullable }
        instructions.append(VectorProgram.Instruction(operation: operation, isNullable: isNullable, to: register))
        registerCount = max(registerCount, register + 1)
        return .register(register)
    }

    /// The operands in registers from `register` on (or in columns, or constant).
    private mutating func lower(_ nodes: [CheckedNode], from register: Int) -> [VectorProgram.Operand]? {
        var operands: [VectorProgram.Operand] = []
        for (index, node) in nodes.enumerated() {
            guard let operand = lower(node, into: register + index) else { return nil }
            operands.append(operand)
        }
        return operands
    }

    private mutating func lowerRow(_ node: CheckedNode, into register: Int) -> VectorProgram.Operand? {
        if case .column(let slot) = node.operation { return lower(slot, into: register) }
        switch node.operation {
        case .coalesce(let nodes):
            return fold(nodes, into: register) { .firstNotNull($0, $1) }
        case .least(let nodes): return fold(nodes, into: register) { .least($0, $1) }
        case .greatest(let nodes): return fold(nodes, into: register) { .greatest($0, $1) }
        default: break
        }
        let nodes = node.operands
        guard let operands = lower(nodes, from: register),
            let operation = Self.operation(node.operation, operands)
        else { return nil }
        return emit(operation, over: nodes, into: register)
    }

    private mutating func lower(_ slot: ColumnSlot, into register: Int) -> VectorProgram.Operand? {
        // Cells that may be null come with a mask, not with a null's bits: such rows are evaluated one by one.
        guard slot.type == .number, !slot.isNullable else { return nil }
        let input = inputSlots.firstIndex(of: slot.slot) ?? inputSlots.endIndex
        if input == inputSlots.endIndex { inputSlots.append(slot.slot) }
        return slot.isInteger ? emit(.convert(input: input), over: [], into: register) : .input(input)
    }

    private mutating func fold(
        _ nodes: [CheckedNode], into register: Int,
        _ operation: (VectorProgram.Operand, VectorProgram.Operand) -> VectorProgram.Instruction.Operation
    ) -> VectorProgram.Operand? {
        var result: VectorProgram.Operand?
        for node in nodes {
            guard let operand = lower(node, into: result == nil ? register : register + 1) else { return nil }
            result = result.map { emit(operation($0, operand), over: nodes, into: register) } ?? operand
        }
        return result
    }

    private static func operation(
        _ operation: CheckedNode.Operation, _ operands: [VectorProgram.Operand]
    ) -> VectorProgram.Instruction.Operation? {
        switch operation {
        case .function(let function, _): .function(function, operands[0])
        case .arithmetic(let arithmetic, _, _): .arithmetic(arithmetic, operands[0], operands[1])
        case .compareNumbers(let comparison, _, _): .compare(comparison, operands[0], operands[1])
        case .isNull: .isNull(operands[0], isNegated: false)
        case .isNotNull: .isNull(operands[0], isNegated: true)
        case .numberIn(_, let values, let isNegated): .isIn(operands[0], values, isNegated: isNegated)
        case .and: .and(operands[0], operands[1])
        case .or: .or(operands[0], operands[1])
        case .not: .not(operands[0])
        case .conditional: .choose(operands[0], operands[1], operands[2])
        case .null, .number, .text, .boolean, .column, .coalesce, .least, .greatest, .compareTexts, .match, .textIn,
            .parseNumber, .lower, .upper, .textPredicate, .extract:
            nil
        }
    }
}
