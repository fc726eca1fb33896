/// A late sample or a dead letter on its way to its output.
struct SideRow {
    /// The partition's watermark when it came, ms.
    let watermarkMs: Int64
    let partition: PartitionID
    /// The query's place in the job; -1 for dead letters.
    let query: Int
    let sink: any Sink
    let document: [UInt8]

    /// By watermark, partition and query; those of one partition and query keep their order, which is that of its records. The
    /// watermark of a partition never goes back, so what comes later is never smaller.
    static func ordered(_ rows: [SideRow]) -> [SideRow] {
        let order = rows.indices.sorted { a, b in
            let (first, second) = (rows[a], rows[b])
            if first.watermarkMs != second.watermarkMs { return first.watermarkMs < second.watermarkMs }
            if first.partition != second.partition { return first.partition < second.partition }
            return first.query != second.query ? first.query < second.query : a < b
        }
        return order.map { rows[$0] }
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
