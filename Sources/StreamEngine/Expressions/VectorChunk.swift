/// One chunk of rows while a vector program runs over it.
struct VectorChunk {
    let first: Int
    /// At most `VectorProgram.chunkRows`.
    let rows: Int
    let columns: UnsafeBufferPointer<NumericColumn>
    let series: UnsafePointer<UInt32>?
    let tables: UnsafeBufferPointer<UnsafePointer<Double>>
    let registers: UnsafeMutablePointer<Double>

    func register(_ index: Int) -> UnsafeMutablePointer<Double> { registers + index * VectorProgram.chunkRows }

    /// An operand while loops run: numbers of each row, or one for all.
    private enum Numbers {
        case each(UnsafePointer<Double>)
        case same(Double)
    }

    private func numbers(_ operand: VectorProgram.Operand) -> Numbers {
        switch operand {
        case .register(let index): return .each(register(index))
        case .constant(let value): return .same(value)
        case .input(let index):
            guard case .doubles(let column) = columns[index] else {
                preconditionFailure("the scope says that this column holds doubles")
            }
            return .each(column + first)
        }
    }

    // MARK: Loops. Each closure is inlined: one tight loop for each operation and shape.

    @inline(__always)
    private func map(_ a: VectorProgram.Operand, _ to: UnsafeMutablePointer<Double>, _ body: (Double) -> Double) {
        switch numbers(a) {
        case .each(let a): for row in 0..<rows { to[row] = body(a[row]) }
        case .same(let a): for row in 0..<rows { to[row] = body(a) }
        }
    }

    @inline(__always)
    private func zip(
        _ a: VectorProgram.Operand, _ b: VectorProgram.Operand, _ to: UnsafeMutablePointer<Double>,
        _ body: (Double, Double) -> Double
    ) {
        switch (numbers(a), numbers(b)) {
        case (.each(let a), .each(let b)): for row in 0..<rows { to[row] = body(a[row], b[row]) }
        case (.each(let a), .same(let b)): for row in 0..<rows { to[row] = body(a[row], b) }
        case (.same(let a), .each(let b)): for row in 0..<rows { to[row] = body(a, b[row]) }
        case (.same(let a), .same(let b)): for row in 0..<rows { to[row] = body(a, b) }
        }
    }

    /// `zip` for operations that are null where an operand is.
    @inline(__always)
    private func strict(
        _ a: VectorProgram.Operand, _ b: VectorProgram.Operand, _ isNullable: Bool, _ to: UnsafeMutablePointer<Double>,
        orElse null: Double, _ body: (Double, Double) -> Double
    ) {
        if isNullable {
            zip(a, b, to) { NullNumber.isNull($0) || NullNumber.isNull($1) ? null : body($0, $1) }
        } else {
            zip(a, b, to, body)
        }
    }

    func copy(_ operand: VectorProgram.Operand, to: UnsafeMutablePointer<Double>) { map(operand, to) { $0 } }

    /// The indices, in the whole batch, of the rows for which a condition's number is 1; how many there are.
    func indices(where condition: VectorProgram.Operand, into indices: UnsafeMutablePointer<UInt32>) -> Int {
        var count = 0
        switch numbers(condition) {
        case .same(let value):
            guard value == 1 else { return 0 }
            for row in 0..<rows { indices[row] = UInt32(truncatingIfNeeded: first &+ row) }
            return rows
        case .each(let values):
            for row in 0..<rows {
                indices[count] = UInt32(truncatingIfNeeded: first &+ row)
                count &+= values[row] == 1 ? 1 : 0
            }
            return count
        }
    }

    func run(_ instruction: VectorProgram.Instruction, to: UnsafeMutablePointer<Double>) {
        let isNullable = instruction.isNullable
        switch instruction.operation {
        case .convert(let input):
            guard case .integers(let column) = columns[input] else {
                preconditionFailure("the scope says that this column holds integers")
            }
            for row in 0..<rows { to[row] = Double(column[first + row]) }
        case .gather(let hoisted):
            guard let series else { return }
            let table = tables[hoisted]
            for row in 0..<rows { to[row] = table[Int(series[first + row])] }
        case .function(let function, let a): apply(function, a, isNullable, to)
        case .arithmetic(let operation, let a, let b): apply(operation, a, b, isNullable, to)
        case .compare(let comparison, let a, let b): apply(comparison, a, b, isNullable, to)
        case .isNull(let a, let isNegated):
            map(a, to) { NullNumber.isNull($0) != isNegated ? 1 : 0 }
        case .isIn(let a, let values, let isNegated):
            map(a, to) { !NullNumber.isNull($0) && values.contains($0) != isNegated ? 1 : 0 }
        // Where nothing is null, on 0 and 1: products and sums, which the compiler makes vector instructions of.
        case .and(let a, let b) where !isNullable: zip(a, b, to) { $0 * $1 }
        case .or(let a, let b) where !isNullable: zip(a, b, to) { $0 + $1 - $0 * $1 }
        case .not(let a) where !isNullable: map(a, to) { 1 - $0 }
        case .and(let a, let b):
            zip(a, b, to) { $0 == 0 || $1 == 0 ? 0 : $0 == 1 && $1 == 1 ? 1 : NullNumber.value }
        case .or(let a, let b):
            zip(a, b, to) { $0 == 1 || $1 == 1 ? 1 : $0 == 0 && $1 == 0 ? 0 : NullNumber.value }
        case .not(let a): map(a, to) { $0 == 0 ? 1 : $0 == 1 ? 0 : NullNumber.value }
        case .choose(let test, let yes, let no): choose(test, yes, no, to)
        case .firstNotNull(let a, let b): zip(a, b, to) { NullNumber.isNull($0) ? $1 : $0 }
        case .least(let a, let b):
            zip(a, b, to) { NullNumber.isNull($0) ? $1 : NullNumber.isNull($1) ? $0 : NumberKernel.least($0, $1) }
        case .greatest(let a, let b):
            zip(a, b, to) { NullNumber.isNull($0) ? $1 : NullNumber.isNull($1) ? $0 : NumberKernel.greatest($0, $1) }
        }
    }

    private func choose(
        _ test: VectorProgram.Operand, _ yes: VectorProgram.Operand, _ no: VectorProgram.Operand,
        _ to: UnsafeMutablePointer<Double>
    ) {
        // `to` may be the test's own register: it is read at each row before that row is written.
        let (yes, no) = (numbers(yes), numbers(no))
        let test = numbers(test)
        for row in 0..<rows {
            let holds =
                switch test {
                case .each(let values): values[row] == 1
                case .same(let value): value == 1
                }
            switch holds ? yes : no {
            case .each(let values): to[row] = values[row]
            case .same(let value): to[row] = value
            }
        }
    }

    private func apply(
        _ function: CheckedNode.NumberFunction, _ a: VectorProgram.Operand, _ isNullable: Bool,
        _ to: UnsafeMutablePointer<Double>
    ) {
        // The switch stands outside the loops, so that each is compiled for its own function.
        switch function {
        case .identity: map(a, to) { $0 }
        case .negate: strict(a, isNullable, to) { -$0 }
        case .abs: strict(a, isNullable, to) { NumberKernel.apply(.abs, $0) }
        case .floor: strict(a, isNullable, to) { NumberKernel.apply(.floor, $0) }
        case .ceil: strict(a, isNullable, to) { NumberKernel.apply(.ceil, $0) }
        case .round: strict(a, isNullable, to) { NumberKernel.apply(.round, $0) }
        case .sqrt: strict(a, isNullable, to) { NumberKernel.apply(.sqrt, $0) }
        case .ln: strict(a, isNullable, to) { NumberKernel.apply(.ln, $0) }
        case .log2: strict(a, isNullable, to) { NumberKernel.apply(.log2, $0) }
        case .log10: strict(a, isNullable, to) { NumberKernel.apply(.log10, $0) }
        case .exp: strict(a, isNullable, to) { NumberKernel.apply(.exp, $0) }
        }
    }

    @inline(__always)
    private func strict(
        _ a: VectorProgram.Operand, _ isNullable: Bool, _ to: UnsafeMutablePointer<Double>,
        _ body: (Double) -> Double
    ) {
        if isNullable {
            map(a, to) { NullNumber.isNull($0) ? $0 : body($0) }
        } else {
            map(a, to, body)
        }
    }

    private func apply(
        _ operation: CheckedNode.Arithmetic, _ a: VectorProgram.Operand, _ b: VectorProgram.Operand, _ isNullable: Bool,
        _ to: UnsafeMutablePointer<Double>
    ) {
        let null = NullNumber.value
        switch operation {
        case .add: strict(a, b, isNullable, to, orElse: null) { $0 + $1 }
        case .subtract: strict(a, b, isNullable, to, orElse: null) { $0 - $1 }
        case .multiply: strict(a, b, isNullable, to, orElse: null) { $0 * $1 }
        case .divide: strict(a, b, isNullable, to, orElse: null) { $0 / $1 }
        case .remainder: strict(a, b, isNullable, to, orElse: null) { NumberKernel.apply(.remainder, $0, $1) }
        }
    }

    private func apply(
        _ comparison: CheckedNode.Comparison, _ a: VectorProgram.Operand, _ b: VectorProgram.Operand,
        _ isNullable: Bool,
        _ to: UnsafeMutablePointer<Double>
    ) {
        switch comparison {
        case .equal: strict(a, b, isNullable, to, orElse: 0) { $0 == $1 ? 1 : 0 }
        case .notEqual: strict(a, b, isNullable, to, orElse: 0) { $0 != $1 ? 1 : 0 }
        case .less: strict(a, b, isNullable, to, orElse: 0) { $0 < $1 ? 1 : 0 }
        case .lessOrEqual: strict(a, b, isNullable, to, orElse: 0) { $0 <= $1 ? 1 : 0 }
        case .greater: strict(a, b, isNullable, to, orElse: 0) { $0 > $1 ? 1 : 0 }
        case .greaterOrEqual: strict(a, b, isNullable, to, orElse: 0) { $0 >= $1 ? 1 : 0 }
        }
    }
}
