import Testing

@testable import EmbeddedBroker

@Suite struct WireTests {
    /// Bytes that often read as small counts and short strings; some frames are nearly all zeros or ones.
    static func plausible(_ random: inout SplitMix64, _ count: Int) -> [UInt8] {
        let range = 10 + random.next() % 90
        let filler = UInt8(random.next() % 2)
        return (0..<count).map { _ in
            switch random.next() % range {
            case 0: UInt8(truncatingIfNeeded: random.next())
            case 1: UInt8(random.next() % 8)
            case 2: 2
            case 3: 1
            case 4: 0
            default: filler
            }
        }
    }

    /// Whatever reads from random bytes writes to bytes that read and write the same, in every version of every API.
    @Test func everyMessageOfEveryVersionRoundTrips() throws {
        var random = SplitMix64(seed: 20_261_121)
        var tried = 0
        for type in ApiRegistry.all {
            for version in type.api.versions {
                let requests = Self.roundTrips(type, version, flexible: version >= type.api.flexibleSince, &random)
                let responses = Self.responseRoundTrips(type, version, &random)
                #expect(requests > 0, "no request of \(type.api.name) v\(version) was read")
                #expect(responses > 0, "no response of \(type.api.name) v\(version) was read")
                tried += requests + responses
            }
        }
        #expect(tried > 2_000)
    }

    private static func responseRoundTrips<R: BrokerRequest>(
        _ type: R.Type, _ version: Int16, _ random: inout SplitMix64
    ) -> Int {
        roundTrips(R.Response.self, version, flexible: version >= R.api.flexibleSince, &random)
    }

    private static func roundTrips<T: WireStruct>(
        _ type: T.Type, _ version: Int16, flexible: Bool, _ random: inout SplitMix64
    ) -> Int {
        var read = 0
        for _ in 0..<400 where read < 8 {
            let bytes = plausible(&random, 300)
            guard let first = decode(type, bytes, version, flexible) else { continue }
            read += 1
            let once = TestCluster.flatten(TestCluster.encode(first, version, flexible: flexible).finished())
            guard let second = decode(type, once, version, flexible) else {
                Issue.record("\(type) v\(version) does not read what it wrote: \(once)")
                continue
            }
            let twice = TestCluster.flatten(TestCluster.encode(second, version, flexible: flexible).finished())
            #expect(once == twice, "\(type) v\(version)")
        }
        return read
    }

    private static func decode<T: WireStruct>(
        _ type: T.Type, _ bytes: [UInt8], _ version: Int16, _ flexible: Bool
    ) -> T? {
        var c = WireCodec(reading: FrameBuffer(bytes), version: version, flexible: flexible)
        var value = T()
        do {
            try value.code(&c)
            try c.tags()
        } catch {
            return nil
        }
        return value
    }

    /// Layouts written down from the protocol guide, byte for byte.
    @Test func knownBytes() {
        let heartbeat = HeartbeatRequest(groupId: "g", generation: 3, memberId: "m", instanceId: nil)
        func bytes(_ version: Int16) -> [UInt8] {
            TestCluster.flatten(
                TestCluster.encode(heartbeat, version, flexible: version >= HeartbeatRequest.api.flexibleSince)
                    .finished())
        }
        #expect(bytes(0) == [0, 1, 103, 0, 0, 0, 3, 0, 1, 109])
        #expect(bytes(3) == [0, 1, 103, 0, 0, 0, 3, 0, 1, 109, 255, 255])
        #expect(bytes(4) == [2, 103, 0, 0, 0, 3, 2, 109, 0, 0])
    }

    @Test func unknownTaggedFieldsAreSkipped() throws {
        let bytes: [UInt8] = [2, 103, 0, 0, 0, 3, 2, 109, 0, 2, 0, 1, 9, 5, 3, 1, 2, 3]
        let heartbeat = try #require(Self.decode(HeartbeatRequest.self, bytes, 4, true))
        #expect(heartbeat.memberId == "m")
    }

    @Test(arguments: [
        ("array longer than the frame", [0x7f, 0xff, 0xff, 0xff]), ("negative length", [0xff, 0xff, 0xff, 0xfe]),
        ("cut short", [0, 0]),
    ])
    func hostileLengthsAreRefused(_ name: String, _ bytes: [UInt8]) {
        #expect(Self.decode(DeleteGroupsRequest.self, bytes, 0, false) == nil)
    }

    @Test func apiVersionsAnswersUnknownVersionsAsKafka() throws {
        let kit = try TestCluster()
        var frame = TestCluster.bytes(ApiVersionsRequest(), 3, "c")
        frame[3] = 99
        var answer: [UInt8] = []
        kit.cluster.receive(FrameBuffer(frame), clientHost: "") { outcome in
            if case .respond(let output) = outcome { answer = TestCluster.flatten(output.framed()) }
        }
        // Length, correlation id, error 35, one entry: key 18 with its versions.
        #expect(answer == [0, 0, 0, 16, 0, 0, 0, 7, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4])
    }

    @Test func registryIsSoundAndListed() throws {
        #expect(Set(ApiRegistry.all.map { $0.api.key }).count == ApiRegistry.all.count)
        #expect(Set(ApiRegistry.all.map { $0.api.name }).count == ApiRegistry.all.count)
        let kit = try TestCluster()
        let listed = try #require(kit.ask(ApiVersionsRequest()))
        #expect(listed.keys.count == ApiRegistry.all.count)
    }

    @Test func frameGrowsWithWhatArrivesOnly() {
        let frame = FrameBuffer(capacity: 16)
        var offered = 0
        _ = frame.appendDirectly(limit: 100 << 20) { _, room in
            offered = room
            return 0
        }
        #expect(offered <= 128 << 10)
    }
}
