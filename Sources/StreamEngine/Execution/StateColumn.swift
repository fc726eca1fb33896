import Platform

/// The states of one aggregate for all groups of one pane, in flat storage by group index. One virtual call a batch.
public protocol StateColumn: AnyObject {
    /// Makes room for groups `0..<groupCount`; new ones are empty states.
    func grow(to groupCount: Int)
    /// Adds rows: row i goes to group `groups[i]`.
    func update(
        groups: UnsafeBufferPointer<UInt32>, values: UnsafePointer<Double>, timestamps: UnsafePointer<Int64>)
    /// Adds rows of text, only for text states.
    func update(groups: UnsafeBufferPointer<UInt32>, texts: [ByteString], timestamps: UnsafePointer<Int64>)
    /// Merges `sources[i]` of a column of the same type into `targets[i]` of this one.
    func merge(
        _ later: any StateColumn, sources: UnsafeBufferPointer<UInt32>, targets: UnsafeBufferPointer<UInt32>)
    /// Merges a later column of the same type into this one, all groups of both.
    func append(_ later: any StateColumn)
    /// Forgets its own states for those of two other columns of the same type merged, all groups of both.
    func combine(_ earlier: any StateColumn, _ later: any StateColumn)
    /// Forgets its own states for those of another column of the same type. They are copied when one of the two changes.
    func assign(_ other: any StateColumn)
    /// Forgets its own states for those of lone rows: a value by group, NaN where there is none. Only where the state
    /// ignores times, like the next three.
    func assign(lone values: [Double])
    /// Merges lone rows, which are later.
    func append(lone values: [Double])
    /// The same for these groups alone.
    func append(lone values: [Double], groups: UnsafeBufferPointer<UInt32>)
    /// Forgets its own states for those of lone rows with a later column of its type merged into them.
    func combine(lone values: [Double], _ later: any StateColumn)
    /// Sets all groups back to empty, for reuse.
    func clear()
    /// Sets groups back to empty, for reuse.
    func reset(_ groups: UnsafeBufferPointer<UInt32>)
    func encode(_ group: UInt32, to writer: inout ByteWriter)
    /// The same for many groups, one call for all of them.
    func encode(_ groups: UnsafeBufferPointer<UInt32>, to writer: inout ByteWriter)
    func decode(_ group: UInt32, from reader: inout ByteReader) throws(DecodingFailure)
    /// A fresh, empty column of the same type.
    func makeEmpty() -> any StateColumn
    /// A column of the same states. They are copied when one of the two changes.
    func copy() -> any StateColumn
    /// Bytes held.
    var byteCount: Int { get }
}

/// States of a number aggregate. Its loops are the state's own static ones, where they are specialised.
public final class TypedStateColumn<State: AggregateState>: StateColumn {
    /// State by group index.
    public private(set) var states: [State] = []

    public init() {}

    public func grow(to groupCount: Int) {
        guard groupCount > states.count else { return }
        // Room that is not used yet is never touched, so it takes no memory.
        if groupCount > states.capacity { states.reserveCapacity(max(groupCount, states.count * 2)) }
        State.appendEmpty(groupCount - states.count, to: &states)
    }

    public func update(
        groups: UnsafeBufferPointer<UInt32>, values: UnsafePointer<Double>, timestamps: UnsafePointer<Int64>
    ) {
        states.withUnsafeMutableBufferPointer { states in
            guard let first = states.baseAddress else { return }
            State.update(first, groups: groups, values: values, timestamps: timestamps)
        }
    }

    public func update(groups: UnsafeBufferPointer<UInt32>, texts: [ByteString], timestamps: UnsafePointer<Int64>) {
        // `QueryCompiler` takes an argument of the type that the aggregate's state asks for; also below.
        preconditionFailure("a number aggregate was given text; the plan checks argument types")
    }

    public func merge(
        _ later: any StateColumn, sources: UnsafeBufferPointer<UInt32>, targets: UnsafeBufferPointer<UInt32>
    ) {
        let later = same(later)
        states.withUnsafeMutableBufferPointer { mine in
            later.states.withUnsafeBufferPointer { theirs in
                guard let first = mine.baseAddress, let theirFirst = theirs.baseAddress else { return }
                State.merge(first, theirFirst, sources: sources, targets: targets)
            }
        }
    }

    public func append(_ later: any StateColumn) { State.append(same(later).states, to: &states) }

    public func combine(_ earlier: any StateColumn, _ later: any StateColumn) {
        State.combine(same(earlier).states, same(later).states, into: &states)
    }

    public func assign(_ other: any StateColumn) { states = same(other).states }

    public func assign(lone values: [Double]) { State.assign(lone: values, to: &states) }

    public func append(lone values: [Double]) { State.append(lone: values, to: &states) }

    public func append(lone values: [Double], groups: UnsafeBufferPointer<UInt32>) {
        State.append(lone: values, groups: groups, to: &states)
    }

    public func combine(lone values: [Double], _ later: any StateColumn) {
        State.combine(lone: values, same(later).states, into: &states)
    }

    public func clear() {
        let count = states.count
        states.removeAll(keepingCapacity: true)
        State.appendEmpty(count, to: &states)
    }

    /// A column of this one's type, as what it is. A cast would look the type up each time.
    @inline(__always)
    private func same(_ other: any StateColumn) -> TypedStateColumn<State> {
        // One state of a plan makes all of its columns, those read from a checkpoint too.
        precondition(type(of: other) == type(of: self), "columns of different aggregates are never merged")
        return unsafeDowncast(other, to: TypedStateColumn<State>.self)
    }

    public func reset(_ groups: UnsafeBufferPointer<UInt32>) {
        states.withUnsafeMutableBufferPointer { states in
            guard let first = states.baseAddress else { return }
            State.reset(first, groups: groups)
        }
    }

    public func encode(_ group: UInt32, to writer: inout ByteWriter) { states[Int(group)].encode(to: &writer) }

    public func encode(_ groups: UnsafeBufferPointer<UInt32>, to writer: inout ByteWriter) {
        for group in groups { states[Int(group)].encode(to: &writer) }
    }

    public func decode(_ group: UInt32, from reader: inout ByteReader) throws(DecodingFailure) {
        states[Int(group)] = try State(from: &reader)
    }

    public func makeEmpty() -> any StateColumn { State.makeColumn() }

    public func copy() -> any StateColumn {
        let column = State.makeColumn()
        column.assign(self)
        return column
    }

    public var byteCount: Int {
        states.capacity * MemoryLayout<State>.stride + State.heapBytes(of: states)
    }
}

/// States of a text aggregate.
public final class TextStateColumn<State: TextAggregateState>: StateColumn {
    /// State by group index.
    public private(set) var states: [State] = []

    public init() {}

    public func grow(to groupCount: Int) {
        while states.count < groupCount { states.append(State()) }
    }

    public func update(
        groups: UnsafeBufferPointer<UInt32>, values: UnsafePointer<Double>, timestamps: UnsafePointer<Int64>
    ) {
        preconditionFailure("a text aggregate was given numbers; the plan checks argument types")
    }

    public func update(groups: UnsafeBufferPointer<UInt32>, texts: [ByteString], timestamps: UnsafePointer<Int64>) {
        for row in 0..<groups.count { states[Int(groups[row])].update(texts[row], at: timestamps[row]) }
    }

    public func merge(
        _ later: any StateColumn, sources: UnsafeBufferPointer<UInt32>, targets: UnsafeBufferPointer<UInt32>
    ) {
        // As `TypedStateColumn.same`; also below.
        guard let later = later as? TextStateColumn<State> else {
            preconditionFailure("columns of different aggregates are never merged")
        }
        for row in 0..<sources.count { states[Int(targets[row])].merge(later.states[Int(sources[row])]) }
    }

    public func append(_ later: any StateColumn) {
        guard let later = later as? TextStateColumn<State> else {
            preconditionFailure("columns of different aggregates are never merged")
        }
        grow(to: later.states.count)
        for index in later.states.indices { states[index].merge(later.states[index]) }
    }

    public func combine(_ earlier: any StateColumn, _ later: any StateColumn) {
        assign(earlier)
        append(later)
    }

    public func assign(_ other: any StateColumn) {
        guard let other = other as? TextStateColumn<State> else {
            preconditionFailure("columns of different aggregates are never merged")
        }
        states = other.states
    }

    public func assign(lone values: [Double]) { noLoneRows() }

    public func append(lone values: [Double]) { noLoneRows() }

    public func append(lone values: [Double], groups: UnsafeBufferPointer<UInt32>) { noLoneRows() }

    public func combine(lone values: [Double], _ later: any StateColumn) { noLoneRows() }

    private func noLoneRows() -> Never {
        // Panes hold lone rows only where `StateKind.takesLoneRows` says so of every state.
        preconditionFailure("a text aggregate was given lone numbers; its kind says that it takes none")
    }

    public func clear() {
        for index in states.indices { states[index] = State() }
    }

    public func reset(_ groups: UnsafeBufferPointer<UInt32>) {
        for group in groups { states[Int(group)] = State() }
    }

    public func encode(_ group: UInt32, to writer: inout ByteWriter) { states[Int(group)].encode(to: &writer) }

    public func encode(_ groups: UnsafeBufferPointer<UInt32>, to writer: inout ByteWriter) {
        for group in groups { states[Int(group)].encode(to: &writer) }
    }

    public func decode(_ group: UInt32, from reader: inout ByteReader) throws(DecodingFailure) {
        states[Int(group)] = try State(from: &reader)
    }

    public func makeEmpty() -> any StateColumn { TextStateColumn<State>() }

    public func copy() -> any StateColumn {
        let column = TextStateColumn<State>()
        column.states = states
        return column
    }

    public var byteCount: Int {
        states.capacity * MemoryLayout<State>.stride + states.reduce(0) { $0 + $1.heapBytes }
    }
}
