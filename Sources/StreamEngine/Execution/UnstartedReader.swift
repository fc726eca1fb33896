/// Stands for the reader of a partition whose first offset is not known before its state is loaded.
final class UnstartedReader: PartitionReader {
    let id: PartitionID

    init(id: PartitionID) { self.id = id }

    func read(maxBytes: Int, _ body: (RawRecord) throws -> Void) -> ReadOutcome { .nothingYet }
    var progress: (consumed: Int64, total: Int64)? { nil }
    func hibernate() {}
    func close() {}
}
