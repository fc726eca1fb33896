/// Runs of groups that are looked at together: what holds of all of one run, which is nearly always, takes a vector's loop.
enum ColumnRuns {
    /// Hands out the groups below `count` in order, `length` at a time, in the end fewer.
    @inline(__always)
    static func forEach(of length: Int, upTo count: Int, _ body: (Range<Int>) -> Void) {
        var start = 0
        while start < count {
            let end = min(start &+ length, count)
            body(start..<end)
            start = end
        }
    }
}
