extension Array {
    /// The place of the first element for which `isBehind` holds, `count` where there is none, by bisection: it holds for all
    /// elements from some place on.
    func firstPlace(where isBehind: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = low + (high - low) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
