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

    // A group's only row in a pane need not become a state there: its value, never NaN, stands for it, and NaN for a group
    // without one. To the bit the same as with states.

    /// Whether `update` looks at values only, so that a lone value is all there is to know of a row.
    static var ignoresTime: Bool { get }
    /// `target[i]`, memory that holds nothing yet, becomes the state of one row of `values[i]`.
    static func fill(_ target: UnsafeMutablePointer<Self>, lone values: UnsafePointer<Double>, count: Int)
    /// Merges the state of one row of `values[i]` into `target[i]`.
    static func append(lone values: UnsafePointer<Double>, count: Int, to target: UnsafeMutablePointer<Self>)
    /// The state of one row of `values[i]`, and `later[i]` merged into it, into `target[i]`: memory that holds nothing yet.
    static func combine(
        lone values: UnsafePointer<Double>, _ later: UnsafePointer<Self>, count: Int,
        into target: UnsafeMutablePointer<Self>)
    /// A column of lone rows.
    static func assign(lone values: [Double], to states: inout [Self])
    /// Merges lone rows into a column.
    static func append(lone values: [Double], to states: inout [Self])
    /// The same for these groups alone.
    static func append(lone values: [Double], groups: UnsafeBufferPointer<UInt32>, to states: inout [Self])
    /// Lone rows with a later column merged into them, into a third column whose room is used again.
    static func combine(lone values: [Double], _ later: [Self], into states: inout [Self])
}

extension AggregateState {
    @inlinable
    public var heapBytes: Int { 0 }

    @inlinable
    public static var ignoresTime: Bool { false }

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
        append(later, to: &states) { mine, theirs in combine(mine, theirs, count: later.count, into: mine) }
    }

    /// Hands out the states, lengthened to as many as there are of what is added to them, and that.
    @inlinable @inline(__always)
    static func append<Later>(
        _ later: [Later], to states: inout [Self], _ body: (UnsafeMutablePointer<Self>, UnsafePointer<Later>) -> Void
    ) {
        if states.count < later.count { appendEmpty(later.count - states.count, to: &states) }
        states.withUnsafeMutableBufferPointer { mine in
            later.withUnsafeBufferPointer { later in
                guard let mine = mine.baseAddress, let theirs = later.baseAddress else { return }
                body(mine, theirs)
            }
        }
    }

    @inlinable
    public static func combine(_ earlier: [Self], _ later: [Self], into states: inout [Self]) {
        guard earlier.count >= later.count else {
            states = earlier
            return append(later, to: &states)
        }
        refill(&states, count: earlier.count) { target in
            earlier.withUnsafeBufferPointer { earlier in
                later.withUnsafeBufferPointer { later in
                    guard let mine = earlier.baseAddress else { return }
                    if let theirs = later.baseAddress { combine(mine, theirs, count: later.count, into: target) }
                    (target + later.count).initialize(from: mine + later.count, count: earlier.count - later.count)
                }
            }
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
