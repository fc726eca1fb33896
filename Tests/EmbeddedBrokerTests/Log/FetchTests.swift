import Testing

@testable import EmbeddedBroker

@Suite struct FetchTests {
    /// One batch at least, for the first partition that has one; beyond it never more than the request or the partition
    /// allows.
    @Test(arguments: [1, 250, 900, 100_000] as [Int32], [1, 400, 100_000] as [Int32])
    func boundsAreKept(_ maxBytes: Int32, _ partitionMaxBytes: Int32) throws {
        let kit = try TestCluster()
        kit.create("t", partitions: 2)
        let batch = TestBatch(String(repeating: "x", count: 100))
        for partition in [0, 1] as [Int32] {
            for _ in 0..<10 { kit.produce(batch, partition: partition) }
        }
        let asked = [0, 1].map {
            FetchRequest.PartitionRequest(index: $0, fetchOffset: 0, maxBytes: partitionMaxBytes)
        }
        let request = FetchRequest(
            maxWaitMs: 0, minBytes: 1, maxBytes: maxBytes, topics: [.init(name: "t", partitions: asked)])
        let response = try #require(kit.ask(request, version: 12))
        let sizes = try #require(response.topics.first).partitions.map { $0.records.slice?.range.count ?? 0 }
        let one = batch.bytes.count
        #expect(sizes[0] >= one && sizes[0] <= max(one, min(Int(maxBytes), Int(partitionMaxBytes))))
        #expect(sizes[1] <= max(0, min(Int(partitionMaxBytes), Int(maxBytes) - sizes[0])))
        if maxBytes == 100_000 {
            #expect(sizes[0] == (partitionMaxBytes == 100_000 ? 10 * one : max(one, Int(partitionMaxBytes))))
        }
    }
}
