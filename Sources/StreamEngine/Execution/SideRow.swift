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

    /// Rows that wait over all partitions are not more bytes than this.
    static let waitingBytesMax = 16 << 20

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
