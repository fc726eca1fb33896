extension AggregateState {
    /// The state of one row.
    @inlinable @inline(__always)
    static func one(_ value: Double) -> Self {
        var state = Self()
        state.update(value, at: 0)
        return state
    }

    @inlinable
    public static func fill(_ target: UnsafeMutablePointer<Self>, lone values: UnsafePointer<Double>, count: Int) {
        for index in 0..<count {
            (target + index).initialize(to: values[index].isNaN ? Self() : one(values[index]))
        }
    }

    @inlinable
    public static func append(lone values: UnsafePointer<Double>, count: Int, to target: UnsafeMutablePointer<Self>) {
        for index in 0..<count where !values[index].isNaN { target[index].merge(one(values[index])) }
    }

    @inlinable
    public static func combine(
        lone values: UnsafePointer<Double>, _ later: UnsafePointer<Self>, count: Int,
        into target: UnsafeMutablePointer<Self>
    ) {
        for index in 0..<count {
            var state = values[index].isNaN ? Self() : one(values[index])
            state.merge(later[index])
            (target + index).initialize(to: state)
        }
    }

    @inlinable
    public static func assign(lone values: [Double], to states: inout [Self]) {
        refill(&states, count: values.count) { target in
            values.withUnsafeBufferPointer { values in
                if let first = values.baseAddress { fill(target, lone: first, count: values.count) }
            }
        }
    }

    @inlinable
    public static func append(lone values: [Double], to states: inout [Self]) {
        append(values, to: &states) { mine, first in append(lone: first, count: values.count, to: mine) }
    }

    @inlinable
    public static func append(lone values: [Double], groups: UnsafeBufferPointer<UInt32>, to states: inout [Self]) {
        append(values, to: &states) { mine, values in
            for group in groups where !values[Int(group)].isNaN { mine[Int(group)].merge(one(values[Int(group)])) }
        }
    }

    @inlinable
    public static func combine(lone values: [Double], _ later: [Self], into states: inout [Self]) {
        let both = min(values.count, later.count)
        refill(&states, count: max(values.count, later.count)) { target in
            values.withUnsafeBufferPointer { values in
                later.withUnsafeBufferPointer { later in
                    if let mine = values.baseAddress {
                        if let theirs = later.baseAddress { combine(lone: mine, theirs, count: both, into: target) }
                        fill(target + both, lone: mine + both, count: values.count - both)
                    }
                    if let theirs = later.baseAddress {
                        (target + both).initialize(from: theirs + both, count: later.count - both)
                    }
                }
            }
        }
    }

    /// Puts so many states, which `fill` makes, in the place of others; in their room where there are as many.
    @inlinable @inline(__always)
    static func refill(_ states: inout [Self], count wanted: Int, _ fill: (UnsafeMutablePointer<Self>) -> Void) {
        guard states.count == wanted else {
            states = [Self](unsafeUninitializedCapacity: wanted) { target, count in
                if let target = target.baseAddress { fill(target) }
                count = wanted
            }
            return
        }
        states.withUnsafeMutableBufferPointer { target in
            guard let target = target.baseAddress else { return }
            target.deinitialize(count: wanted)
            fill(target)
        }
    }
}
