import Platform

/// What is left of a query's windows over a partition whose input is over and whose windows have all been taken: the
/// ledger. Thirty daily files so cost what one costs.
final class EndedWindows: WindowOperator {
    let ledger: QueryLedger
    private(set) var frozenThrough: Int64?

    init(_ ended: any WindowOperator) {
        ledger = ended.ledger
        frozenThrough = ended.frozenThrough
    }

    func process(_ batch: SampleBatch) {}
    func add(series: [UInt32]) {}
    func forget(series: [UInt32]) {}
    func takeFrozen() -> [WindowPartial] { [] }
    var frozenBytes: (all: Int, older: Int) { (0, 0) }
    func freeze(through window: Int64) { frozenThrough = max(window, frozenThrough ?? .min) }
    func snapshotOpen(all: Bool) -> [WindowPartial] { [] }
    var newestOpenWindow: Int64? { nil }
    var oldestOpenWindow: Int64? { nil }
    func takeLate() -> [LateSample] { [] }
    func key(of group: UInt32) -> GroupKey { GroupKey([]) }
    var groupBound: Int { 0 }
    var groupGeneration: Int { 0 }
    func logSeries(_ series: UInt32) -> (labels: SeriesLabels, group: UInt32) {
        (SeriesLabels(name: .empty, labels: []), 0)
    }
    var stateBytes: Int { 0 }

    // An input that ends for good is a replay's; its checkpoint is written before windows retire.
    func trackStateChanges() {}
    var stateRows: Int { 0 }
    var unsavedRows: Int { 0 }
    func encodeState(whole: Bool, to writer: inout ByteWriter) -> Int { 0 }
    func decodeState(from reader: inout ByteReader) throws(DecodingFailure) {
        throw DecodingFailure("windows that have ended take no state")
    }
    func finishDecodingState() {}
}
