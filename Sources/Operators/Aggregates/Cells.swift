import StreamEngine

/// Result cells of number aggregates, and the one cast from a column to its states.
enum Cells {
    /// The states behind a column. The engine hands an aggregate columns made by its own `states`, in that order.
    static func states<State: AggregateState>(_ column: any StateColumn, of type: State.Type) -> [State] {
        // `OutputAggregate` hands over the columns of its own states, by their place in the plan; also below.
        guard let column = column as? TypedStateColumn<State> else {
            preconditionFailure("an aggregate reads the columns its own `states` made")
        }
        return column.states
    }

    /// The states behind a text column.
    static func textStates<State: TextAggregateState>(_ column: any StateColumn, of type: State.Type) -> [State] {
        guard let column = column as? TextStateColumn<State> else {
            preconditionFailure("an aggregate reads the columns its own `states` made")
        }
        return column.states
    }

    /// One double a group; nil is a null cell. Every NaN becomes the ordinary one: which of two NaNs an addition keeps is the
    /// processor's and the compiler's to choose, and some outputs keep all bits.
    @inline(__always)
    static func doubles(_ groups: UnsafeBufferPointer<UInt32>, _ cell: (Int) -> Double?) -> ColumnData {
        var values: [Double] = []
        values.reserveCapacity(groups.count)
        var valid: [Bool]?
        for group in groups {
            let value = cell(Int(group))
            if value == nil, valid == nil { valid = [Bool](repeating: true, count: values.count) }
            valid?.append(value != nil)
            values.append(value.map { $0.isNaN ? .nan : $0 } ?? 0)
        }
        return ColumnData(.doubles(values), valid: valid)
    }

    /// One integer a group.
    @inline(__always)
    static func integers(_ groups: UnsafeBufferPointer<UInt32>, _ cell: (Int) -> Int64) -> ColumnData {
        ColumnData(.integers(groups.map { cell(Int($0)) }))
    }

    /// One text a group; nil is a null cell. Equal texts share an entry of the dictionary.
    static func texts(_ groups: UnsafeBufferPointer<UInt32>, _ cell: (Int) -> ByteString?) -> ColumnData {
        var column = TextColumn(dictionary: [], codes: [])
        var codes: [ByteString: Int32] = [:]
        for group in groups {
            guard let text = cell(Int(group)) else {
                column.codes.append(TextColumn.null)
                continue
            }
            let code = codes[text] ?? Int32(truncatingIfNeeded: column.dictionary.count)
            if code == column.dictionary.count {
                column.dictionary.append(text)
                codes[text] = code
            }
            column.codes.append(code)
        }
        return ColumnData(.texts(column))
    }
}
