import StreamEngine
import Testing

/// What stands beside committed offsets reads back one way only.
@Suite struct CommittedTokenTests {
    private static let epoch = EpochToken(incarnation: String(repeating: "0a", count: 16), number: 7)

    @Test func readsBackWhatItWrote() throws {
        for state in [nil, EpochToken(incarnation: String(repeating: "f", count: 32), number: 3)] {
            for shown in [[:], ["cpu/hot": Int64(-5)], ["a/b": 1, "a-b/c_d": Int64.max]] {
                let token = CommittedToken(epoch: Self.epoch, state: state, shown: shown)
                #expect(CommittedToken(metadata: token.metadata) == token, "\(token.metadata)")
            }
        }
        #expect(CommittedToken(epoch: Self.epoch, state: nil).metadata == "v1 \(Self.epoch) empty")
    }

    @Test func aListThatBrokersWouldRefuseIsLeftOut() throws {
        let many = Dictionary(uniqueKeysWithValues: (0..<1000).map { ("query/detector-\($0)", Int64($0)) })
        let token = CommittedToken(epoch: Self.epoch, state: Self.epoch, shown: many)
        #expect(token.metadata == "v1 \(Self.epoch) \(Self.epoch)")
    }

    @Test(arguments: ["", " a", " a=", " a=b", " a=1,", " a=1 b=2", " a=1=2"])
    func nothingElseIsOurs(_ rest: String) {
        #expect(CommittedToken(metadata: "v1 \(Self.epoch) \(Self.epoch)\(rest)") == nil || rest.isEmpty)
    }
}
