import Platform

/// The state of one aggregate for one key in one pane: a mergeable value.
///
/// Rows reach `update` in record order; `merge` is called with later panes of the same partition in time order, then
/// with other partitions in order of topic bytes and number (SEMANTICS §4), so results do not depend on batches.
public protocol AggregateState: Sendable {
    init()
    /// Adds one row.
    mutating func update(_ value: Double, at timestampMs: Int64)
    /// Adds what a later pane or a later partition has gathered.
    mutating func merge(_ later: Self)
    /// Writes the state; `init(from:)` reads it back bit for bit.
    func encode(to writer: inout ByteWriter)
    init(from reader: inout ByteReader) throws(DecodingFailure)
    /// Bytes held outside the value itself (a sketch's buckets).
    var heapBytes: Int { get }

    // The loops over a column, one call a batch. Every state gets them from the extension below; a state whose values
    // are plain bytes may write its own `combine`. They are requirements because a generic class is not specialised
    // behind `any StateColumn`, while the witness of a concrete state is: `update` is inlined into its loop (about
    // 2 ns a row for a sum).

    /// Adds rows: row i to `states[groups[i]]`.
    static func update(
        _ states: UnsafeMutablePointer<Self>, groups: UnsafeBufferPointer<UInt32>, values: UnsafePointer<Double>,
        timestamps: UnsafePointer<Int64>)
    /// Merges `later[sources[i]]` into `states[targets[i]]`.
    static func merge(
        _ states: UnsafeMutablePointer<Self>, _ later: UnsafePointer<Self>, sources: UnsafeBufferPointer<UInt32>,
        targets: UnsafeBufferPointer<UInt32>)
    /// What `merge` makes of `earlier[i]` and `later[i]`, to the bit, into `target[i]`: memory that holds nothing yet,
    /// or `earlier` itself.
    static func combine(
        _ earlier: UnsafePointer<Self>, _ later: UnsafePointer<Self>, count: Int,
        into target: UnsafeMutablePointer<Self>)
    /// Merges `later` into `states`, all groups of both; what a shorter one lacks is empty.
    static func append(_ later: [Self], to states: inout [Self])
    /// The same of two columns into a third, whose room is used again.
    static func combine(_ earlier: [Self], _ later: [Self], into states: inout [Self])
    /// An empty column.
    static func makeColumn() -> any StateColumn
    /// Appends empty states.
    static func appendEmpty(_ count: Int, to states: inout [Self])
    /// Sets groups back to empty.
    static func reset(_ states: UnsafeMutablePointer<Self>, groups: UnsafeBufferPointer<UInt32>)
    /// `heapBytes` of all of them.
    static func heapBytes(of states: [Self]) -> Int
}

extension AggregateState {
    @inlinable
    public var heapBytes: Int { 0 }

    @inlinable
    public static func heapBytes(of states: [Self]) -> Int {
        var bytes = 0
        for state in states { bytes += state.heapBytes }
        return bytes
    }

    @inlinable
    public static func update(
        _ states: UnsafeMutablePointer<Self>, groups: UnsafeBufferPointer<UInt32>, values: UnsafePointer<Double>,
        timestamps: UnsafePointer<Int64>
    ) {
        for row in 0..<groups.count {
            states[Int(groups[row])].update(values[row], at: timestamps[row])
        }
    }

    @inlinable
    public static func merge(
        _ states: UnsafeMutablePointer<Self>, _ later: UnsafePointer<Self>, sources: UnsafeBufferPointer<UInt32>,
        targets: UnsafeBufferPointer<UInt32>
    ) {
        for row in 0..<sources.count { states[Int(targets[row])].merge(later[Int(sources[row])]) }
    }

    @inlinable
    public static func combine(
        _ earlier: UnsafePointer<Self>, _ later: UnsafePointer<Self>, count: Int,
        into target: UnsafeMutablePointer<Self>
    ) {
        guard UnsafePointer(target) != earlier else {
            for index in 0..<count { target[index].merge(later[index]) }
            return
        }
        for index in 0..<count {
            var state = earlier[index]
            state.merge(later[index])
            (target + index).initialize(to: state)
        }
    }

    @inlinable
    public static func append(_ later: [Self], to states: inout [Self]) {
        if states.count < later.count { appendEmpty(later.count - states.count, to: &states) }
        states.withUnsafeMutableBufferPointer { mine in
            later.withUnsafeBufferPointer { later in
                guard let mine = mine.baseAddress, let theirs = later.baseAddress else { return }
                combine(mine, theirs, count: later.count, into: mine)
            }
        }
    }

    @inlinable
    public static func combine(_ earlier: [Self], _ later: [Self], into states: inout [Self]) {
        guard earlier.count >= later.count else {
            states = earlier
            return append(later, to: &states)
        }
        func fill(_ target: UnsafeMutablePointer<Self>) {
            earlier.withUnsafeBufferPointer { earlier in
                later.withUnsafeBufferPointer { later in
                    guard let mine = earlier.baseAddress else { return }
                    if let theirs = later.baseAddress { combine(mine, theirs, count: later.count, into: target) }
                    (target + later.count).initialize(from: mine + later.count, count: earlier.count - later.count)
                }
            }
        }
        guard states.count == earlier.count else {
            states = [Self](unsafeUninitializedCapacity: earlier.count) { target, count in
                if let target = target.baseAddress { fill(target) }
                count = earlier.count
            }
            return
        }
        states.withUnsafeMutableBufferPointer { target in
            guard let target = target.baseAddress else { return }
            target.deinitialize(count: earlier.count)
            fill(target)
        }
    }

    @inlinable
    public static func makeColumn() -> any StateColumn { TypedStateColumn<Self>() }

    @inlinable
    public static func appendEmpty(_ count: Int, to states: inout [Self]) {
        states.append(contentsOf: repeatElement(Self(), count: count))
    }

    @inlinable
    public static func reset(_ states: UnsafeMutablePointer<Self>, groups: UnsafeBufferPointer<UInt32>) {
        for group in groups { states[Int(group)] = Self() }
    }
}

/// The same for rows whose argument is text.
public protocol TextAggregateState: Sendable {
    init()
    mutating func update(_ text: ByteString, at timestampMs: Int64)
    mutating func merge(_ later: Self)
    func encode(to writer: inout ByteWriter)
    init(from reader: inout ByteReader) throws(DecodingFailure)
    var heapBytes: Int { get }
}

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

/// A kind of state that aggregates of one query may share: `avg(x)` and `sum(x)` read the same sum.
public struct StateKind: Sendable {
    /// Names the state type, so that two aggregates over one argument and filter keep it once.
    public let identity: String
    /// Bytes a group and pane, for `explain`.
    public let bytesPerGroup: Int
    public let make: @Sendable () -> any StateColumn

    /// A number state.
    public static func of<State: AggregateState>(_ type: State.Type, identity: String) -> StateKind {
        StateKind(identity: identity, bytesPerGroup: MemoryLayout<State>.stride) { State.makeColumn() }
    }

    /// A text state.
    public static func ofText<State: TextAggregateState>(_ type: State.Type, identity: String) -> StateKind {
        StateKind(identity: identity, bytesPerGroup: MemoryLayout<State>.stride) { TextStateColumn<State>() }
    }

    @usableFromInline
    init(identity: String, bytesPerGroup: Int, make: @escaping @Sendable () -> any StateColumn) {
        self.identity = identity
        self.bytesPerGroup = bytesPerGroup
        self.make = make
    }
}

/// What an aggregate's argument may be.
public enum AggregateArgument: Sendable {
    /// `count()` or `count(x)`: nothing, a number or text.
    case optional
    /// `sum(x)`: numbers (booleans count as 1 and 0).
    case number
    /// `first(x)`: numbers or text.
    case numberOrText
}

/// An outer aggregate (JOBS.md). Adding one is one file in `Operators/Aggregates` and one line in the registry.
public protocol Aggregate: Sendable {
    /// The name in a job.
    static var name: String { get }
    /// One line for `--help` and the reference.
    static var summary: String { get }
    static var argument: AggregateArgument { get }
    /// The range of the leading number argument (`quantile(0.9, x)`), or nil where there is none.
    static var parameter: ClosedRange<Double>? { get }

    /// An aggregate for one column of a query. `type` is the argument's type (`number` for `count()`); booleans come
    /// as numbers.
    init(parameter: Double?, type: ValueType)
    /// The states it reads, in the order in which `result` is given them.
    var states: [StateKind] { get }
    /// The type of its cells.
    var resultType: ColumnType { get }
    /// The cells of `groups`, from the states named by `states`. A group without a row (all filtered out by the
    /// aggregate's own `where`) gives null, `count` gives 0.
    func result(_ states: [any StateColumn], groups: UnsafeBufferPointer<UInt32>) -> ColumnData
}

extension Aggregate {
    /// `count` as JOBS.md spells it.
    public var name: String { Self.name }
}
