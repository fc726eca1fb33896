import Testing

@testable import EmbeddedBroker

/// Frames no honest client sends: the broker answers or closes, and goes on.
@Suite struct HostileRequestTests {
    private func survives(_ kit: TestCluster) -> Bool { kit.ask(ApiVersionsRequest())?.error == ErrorCode.none }

    @Test(arguments: [UInt64(1), 2, 3])
    func randomFrames(_ seed: UInt64) throws {
        let kit = try TestCluster()
        kit.create("t")
        var random = SplitMix64(seed: seed)
        for round in 0..<3_000 {
            var frame = WireTests.plausible(&random, Int(random.next() % 200))
            if frame.count >= 8, let type = ApiRegistry.all.randomElement(using: &random) {
                let versions = type.api.versions
                frame[0] = 0
                frame[1] = UInt8(type.api.key)
                frame[2] = 0
                frame[3] = UInt8(Int16.random(in: versions, using: &random))
                if round % 2 == 0 && frame.count > 12 { frame.replaceSubrange(8..<12, with: [0, 0, 0, 0]) }
            }
            kit.cluster.receive(FrameBuffer(frame), clientHost: "") { _ in }
            if round % 100 == 0 { kit.advance(ms: 10_000) }
        }
        #expect(survives(kit))
    }

    /// Real requests, cut at every byte and with every byte damaged.
    @Test func damagedRequests() throws {
        let kit = try TestCluster()
        kit.create("t")
        let batch = TestBatch.of(["a", "b"], producer: (5, 0), sequence: 0).bytes
        let data = ProduceRequest.PartitionData(
            records: Records(slice: FrameSlice(frame: FrameBuffer(batch), range: 0..<batch.count)))
        let produce = TestCluster.bytes(
            ProduceRequest(topics: [.init(name: "t", partitions: [data])]), 9, "client")
        let fetch = TestCluster.bytes(
            FetchRequest(topics: [.init(name: "t", partitions: [.init(maxBytes: 100)])]), 12, "client")
        for frame in [produce, fetch] {
            for length in frame.indices {
                kit.cluster.receive(FrameBuffer(Array(frame[..<length])), clientHost: "") { _ in }
            }
            for index in frame.indices.dropFirst(4) {
                for bit in [0x01, 0x80] as [UInt8] {
                    var damaged = frame
                    damaged[index] ^= bit
                    kit.cluster.receive(FrameBuffer(damaged), clientHost: "") { _ in }
                }
            }
        }
        #expect(survives(kit))
        // A damaged batch never got in: whatever is stored is whole.
        #expect(kit.read().allSatisfy { $0 == "a" || $0 == "b" })
    }

    @Test func unknownKeysAndVersionsCloseTheConnection() throws {
        let kit = try TestCluster()
        for (key, version) in [(200, 0), (0, 200), (1, 0), (-1, 0)] as [(Int16, Int16)] {
            var output = WireOutput()
            output.append(bigEndian: key)
            output.append(bigEndian: version)
            output.append([0, 0, 0, 1, 255, 255])
            var isClosed = false
            kit.cluster.receive(FrameBuffer(TestCluster.flatten(output.finished())), clientHost: "") { outcome in
                if case .disconnect = outcome { isClosed = true }
            }
            #expect(isClosed, "key \(key) version \(version)")
        }
    }

    /// Kafka's bound: what is longer could not be told again in a version with 16-bit lengths.
    @Test(arguments: [(32_767, false), (32_768, true)])
    func aNameThatIsTooLongClosesTheConnection(_ length: Int, _ isClosed: Bool) throws {
        let kit = try TestCluster()
        let group = String(repeating: "g", count: length)
        let pending = kit.send(DescribeGroupsRequest(groups: [group]), version: 5)
        #expect(pending.isDisconnected == isClosed)
    }

    @Test(arguments: ["a/b", "", ".", "..", "a b", "ü", String(repeating: "x", count: 250)])
    func topicNames(_ name: String) throws {
        let kit = try TestCluster()
        #expect(kit.create(name) == .invalidTopicException)
        let metadata = kit.ask(MetadataRequest(topics: [.init(name: name)]))
        #expect(metadata?.topics.first?.error == .invalidTopicException)
    }

    @Test(arguments: [
        ("retention.ms", "soon"), ("retention.ms", "-2"), ("segment.bytes", "1"), ("cleanup.policy", "burn"),
        ("message.timestamp.type", "Never"), ("no.such.key", "1"),
    ])
    func topicConfigurations(_ key: String, _ value: String) throws {
        let kit = try TestCluster()
        #expect(kit.create("t", config: [key: value]) == .invalidConfig)
    }

    @Test func topicSizes() throws {
        let kit = try TestCluster()
        #expect(kit.create("t", partitions: 0) == .invalidPartitions)
        #expect(kit.create("t", partitions: .max) == .invalidPartitions)
        #expect(kit.create("a.b") == .none)
        #expect(kit.create("a.b") == .topicAlreadyExists)
        #expect(kit.create("a_b") == .invalidTopicException)
    }
}
