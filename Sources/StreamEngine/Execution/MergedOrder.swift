/// Orders that new indices are put into.
enum MergedOrder {
    /// `order` with `new`, which is sorted: step by step where they are many, else each found by halves.
    static func merge(_ order: [UInt32], _ new: [UInt32], _ precedes: (UInt32, UInt32) -> Bool) -> [UInt32] {
        guard !order.isEmpty else { return new }
        let isDense = new.count * 16 > order.count
        var merged: [UInt32] = []
        merged.reserveCapacity(order.count + new.count)
        var taken = 0
        for index in new {
            var place = taken
            if isDense {
                while place < order.count, precedes(order[place], index) { place += 1 }
            } else {
                var end = order.count
                while place < end {
                    let middle = (place + end) / 2
                    if precedes(order[middle], index) { place = middle + 1 } else { end = middle }
                }
            }
            merged.append(contentsOf: order[taken..<place])
            merged.append(index)
            taken = place
        }
        merged.append(contentsOf: order[taken...])
        return merged
    }

    /// The place of each index in an order of all of them.
    static func ranks(_ order: [UInt32]) -> [UInt32] {
        var ranks = [UInt32](repeating: 0, count: order.count)
        for (rank, index) in order.enumerated() { ranks[Int(index)] = UInt32(truncatingIfNeeded: rank) }
        return ranks
    }
}
