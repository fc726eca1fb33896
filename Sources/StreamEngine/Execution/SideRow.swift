/// A late sample or a dead letter on its way to its output.
struct SideRow {
    /// The partition's watermark when it came, ms; `Int64.min` before there is one.
    let watermarkMs: Int64
    let partition: PartitionID
    /// The record's offset, and the place in it.
    let offset: Int64
    let line: Int
    /// The query's place in the job; -1 for dead letters.
    let query: Int
    let sink: any Sink
    let document: [UInt8]

    /// How far a partition is: what it brings later never comes before this.
    struct Position: Comparable {
        let watermarkMs: Int64
        let partition: PartitionID

        static func < (a: Position, b: Position) -> Bool {
            a.watermarkMs != b.watermarkMs ? a.watermarkMs < b.watermarkMs : a.partition < b.partition
        }
    }

    var position: Position { Position(watermarkMs: watermarkMs, partition: partition) }

    /// By watermark, partition and place of the record. The watermark of a partition never goes back, and its records come in
    /// their order, so what comes later is never smaller.
    static func ordered(_ rows: [SideRow]) -> [SideRow] {
        rows.sorted { a, b in
            if a.position != b.position { return a.position < b.position }
            if a.offset != b.offset { return a.offset < b.offset }
            return a.line != b.line ? a.line < b.line : a.query < b.query
        }
    }

    /// Neighbours that go to one output.
    static func runs(_ rows: [SideRow]) -> [ArraySlice<SideRow>] {
        var runs: [ArraySlice<SideRow>] = []
        var start = 0
        for index in rows.indices where index > start && rows[index].query != rows[start].query {
            runs.append(rows[start..<index])
            start = index
        }
        if start < rows.count { runs.append(rows[start...]) }
        return runs
    }
}

/// Late samples and dead letters of a source that were not written yet.
struct SideRows {
    /// In the order in which they were taken from the partitions.
    private var arrived: [SideRow] = []
    /// Those of each partition in order: what a slice brings never comes before what is here, so that only what is new has to
    /// be put in order, and only what is ready looked at, however many wait.
    private var waiting: [PartitionID: Queue] = [:]
    private var waitingBytes = 0

    /// Rows that wait over all partitions are not more bytes than this.
    private static let waitingBytesMax = 16 << 20

    private struct Queue {
        var rows: [SideRow] = []
        /// Those before are gone.
        var first = 0

        mutating func take(through frontier: SideRow.Position) -> ArraySlice<SideRow> {
            var end = first
            while end < rows.count, !(frontier < rows[end].position) { end += 1 }
            let taken = rows[first..<end]
            first = end
            if first > rows.count / 2 {
                rows.removeFirst(first)
                first = 0
            }
            return taken
        }
    }

    mutating func append(_ rows: [SideRow]) { arrived += rows }

    /// Those that came since the last call, as they came. For who takes all each time.
    mutating func takeAll() -> [SideRow] {
        defer { arrived = [] }
        return arrived
    }

    /// Those up to `frontier` in order; all of them where it is nil, or where too many wait.
    mutating func take(through frontier: SideRow.Position?) -> [SideRow] {
        for row in SideRow.ordered(arrived) {
            waiting[row.partition, default: Queue()].rows.append(row)
            waitingBytes += row.document.count
        }
        arrived = []
        var ready: [SideRow] = []
        if let frontier, waitingBytes <= Self.waitingBytesMax {
            for partition in waiting.keys { ready += waiting[partition]?.take(through: frontier) ?? [] }
            waitingBytes -= ready.reduce(0) { $0 + $1.document.count }
        } else {
            for queue in waiting.values { ready += queue.rows[queue.first...] }
            waiting = [:]
            waitingBytes = 0
        }
        return SideRow.ordered(ready)
    }
}
