/// A column of numbers, one a row.
public enum NumericColumn {
    case doubles(UnsafePointer<Double>)
    case integers(UnsafePointer<Int64>)
}

/// An expression over columns: a flat list of loops, run chunk by chunk without an allocation.
///
/// Everything that depends on the series only is *hoisted*: `hoistedCount` numbers, evaluated once a series. In the
/// task's hot path:
/// ```swift
/// // when a series is first seen, for each hoisted part i (tables[i] is indexed by series):
/// tables[i][series] = program.hoistedValue(i, row: labelsOfTheSeries)
/// // for each stretch of rows:
/// if let input = program.onlyInput { /* `value` alone: use the column of slot `inputSlots[input]` as it is */ }
/// else {
///     // columns[k] is the column of slot program.inputSlots[k]
///     program.run(rows: count, columns: columns, series: seriesOfEachRow, tables: tables, scratch: scratch, into: out)
///     // or, for a condition, the rows for which it holds:
///     let kept = program.select(rows: count, columns: …, scratch: scratch, into: indices)
/// }
/// ```
/// Booleans are 1 and 0. Where the expression `isNullable`, a null is the NaN `NullNumber.bits`: test with
/// `NullNumber.isNull` and leave such rows out of the aggregate.
///
/// Results are those of `CompiledExpression.number` bit for bit, whatever the chunks.
public final class VectorProgram: Sendable {
    /// Rows of one chunk: registers of 8 KiB, which stay in the first-level cache.
    public static let chunkRows = 1024

    /// Where an operand's numbers are.
    enum Operand: Sendable, Equatable {
        case register(Int)
        /// A column of doubles, read where it is.
        case input(Int)
        case constant(Double)
    }

    /// One loop over a chunk; the result goes to register `to`.
    struct Instruction: Sendable {
        enum Operation: Sendable {
            /// A column of Int64 as doubles.
            case convert(input: Int)
            /// A hoisted number of each row's series.
            case gather(hoisted: Int)
            case function(CheckedNode.NumberFunction, Operand)
            case arithmetic(CheckedNode.Arithmetic, Operand, Operand)
            case compare(CheckedNode.Comparison, Operand, Operand)
            case isNull(Operand, isNegated: Bool)
            case isIn(Operand, [Double], isNegated: Bool)
            case and(Operand, Operand)
            case or(Operand, Operand)
            case not(Operand)
            case choose(Operand, Operand, Operand)
            case firstNotNull(Operand, Operand)
            case least(Operand, Operand)
            case greatest(Operand, Operand)
        }

        let operation: Operation
        /// Whether an operand may be null.
        let isNullable: Bool
        let to: Int
    }

    let instructions: [Instruction]
    let result: Operand
    /// The number of registers a run needs.
    let registerCount: Int
    private let hoisted: [CheckedNode]
    /// The slots of its input columns, in the order in which `run` takes them.
    public let inputSlots: [Int]
    /// Whether a result may be null.
    public let isNullable: Bool

    /// nil where the expression is not of each row, is a text, or reads a text of each row.
    init?(_ root: CheckedNode) {
        guard root.dependence == .perRow, root.type == .number || root.type == .boolean else { return nil }
        var lowering = VectorLowering()
        guard let result = lowering.lower(root, into: 0) else { return nil }
        precondition(
            lowering.instructions.isEmpty || result == .register(0) && lowering.instructions.last?.to == 0,
            "the root's instruction comes last")
        self.result = result
        instructions = lowering.instructions
        registerCount = lowering.registerCount
        hoisted = lowering.hoisted
        inputSlots = lowering.inputSlots
        isNullable = root.isNullable
    }

    /// The number of hoisted parts.
    public var hoistedCount: Int { hoisted.count }

    /// A hoisted part's number for a series (`row` answers for its labels, name, topic and partition).
    public func hoistedValue(_ index: Int, row: some ExpressionRow) -> Double {
        ScalarEvaluation(row).number(hoisted[index]) ?? NullNumber.value
    }

    /// The input that the expression is nothing but, where it is a column of doubles.
    public var onlyInput: Int? {
        if case .input(let index) = result { return index }
        return nil
    }

    /// Evaluates any number of rows.
    /// - Parameters:
    ///   - columns: as many as `inputSlots`, in that order; each of the kind its slot says (`ColumnSlot.isInteger`).
    ///   - series: the series of each row; read only where there are hoisted parts.
    ///   - tables: as many as `hoistedCount`, each indexed by series.
    ///   - out: room for `rows` numbers; may not overlap a column.
    public func run(
        rows: Int, columns: UnsafeBufferPointer<NumericColumn>, series: UnsafePointer<UInt32>?,
        tables: UnsafeBufferPointer<UnsafePointer<Double>>, scratch: VectorScratch,
        into out: UnsafeMutablePointer<Double>
    ) {
        // The one caller (`RowEvaluator`) makes columns and tables from this program's own lists; also below.
        precondition(columns.count == inputSlots.count, "as many columns as inputSlots")
        precondition(hoisted.isEmpty || series != nil && tables.count == hoisted.count, "a table for each hoisted part")
        scratch.reserve(registers: registerCount)
        var done = 0
        while done < rows {
            let chunk = VectorChunk(
                first: done, rows: min(Self.chunkRows, rows - done), columns: columns, series: series, tables: tables,
                registers: scratch.registers)
            // The last instruction makes the result: it writes where the caller wants it.
            for instruction in instructions.dropLast() {
                chunk.run(instruction, to: chunk.register(instruction.to))
            }
            if let last = instructions.last {
                chunk.run(last, to: out + done)
            } else {
                chunk.copy(result, to: out + done)
            }
            done += chunk.rows
        }
    }

    /// Evaluates a condition over any number of rows and gives the indices of those for which it holds, in order.
    /// - Parameter indices: room for `rows` indices.
    /// - Returns: how many indices were written.
    public func select(
        rows: Int, columns: UnsafeBufferPointer<NumericColumn>, series: UnsafePointer<UInt32>?,
        tables: UnsafeBufferPointer<UnsafePointer<Double>>, scratch: VectorScratch,
        into indices: UnsafeMutablePointer<UInt32>
    ) -> Int {
        precondition(columns.count == inputSlots.count, "as many columns as inputSlots")
        precondition(hoisted.isEmpty || series != nil && tables.count == hoisted.count, "a table for each hoisted part")
        scratch.reserve(registers: registerCount)
        var done = 0
        var kept = 0
        while done < rows {
            let chunk = VectorChunk(
                first: done, rows: min(Self.chunkRows, rows - done), columns: columns, series: series, tables: tables,
                registers: scratch.registers)
            for instruction in instructions { chunk.run(instruction, to: chunk.register(instruction.to)) }
            kept += chunk.indices(where: result, into: indices + kept)
            done += chunk.rows
        }
        return kept
    }
}

/// The registers of vector programs: made once for each thread or task, used by one run at a time.
public final class VectorScratch {
    private(set) var registers: UnsafeMutablePointer<Double>
    private var capacity: Int

    /// Room for a few registers; it grows to what the programs need.
    public init() {
        capacity = 4
        registers = .allocate(capacity: capacity * VectorProgram.chunkRows)
    }

    deinit { registers.deallocate() }

    func reserve(registers count: Int) {
        guard count > capacity else { return }
        registers.deallocate()
        capacity = count
        registers = .allocate(capacity: capacity * VectorProgram.chunkRows)
    }
}
