import Testing

@testable import EmbeddedBroker

/// A crash at every durable step of a busy little history, each write torn in several ways.
///
/// Fault model: the process dies at a write of which a first part reaches the disk; nothing after it does, and no answer
/// leaves. What must hold then: what was acknowledged is there; a transaction is whole or not there at all; offsets
/// committed in a transaction are there exactly when its records are.
@Suite struct CrashTests {
    /// What the client knows of a transaction.
    private struct Told {
        var values: [String]
        var offset: Int64
        var wantsCommit: Bool
        /// EndTxn was sent; the outcome may be either unless it was answered.
        var wasSent = false
        var wasAnswered = false
    }

    /// Plays the history until its end or the crash. Returns what the client knows.
    private func play(_ kit: TestCluster) -> (told: [Told], plain: [String]) {
        var told: [Told] = []
        var plain: [String] = []
        let producer = TestProducer(kit)
        guard kit.create("t", partitions: 2) == .none, producer.initialize() == .none else { return ([], []) }
        for round in 0..<4 {
            let values = ["\(round)a", "\(round)b", "\(round)c"]
            let offset = Int64(round + 1)
            told.append(Told(values: values, offset: offset, wantsCommit: round != 1))
            guard producer.send(values[0], values[1]) == .none, producer.send(values[2], partition: 1) == .none,
                producer.addOffsets() == .none, producer.commitOffset(offset) == .none
            else { return (told, plain) }
            told[round].wasSent = true
            guard producer.end(commit: told[round].wantsCommit, settle: false) == .none else { return (told, plain) }
            told[round].wasAnswered = true
            guard kit.produce(TestBatch("plain\(round)")).error == .none else { return (told, plain) }
            plain.append("plain\(round)")
            kit.advance(ms: 10)
            guard !kit.cluster.isCrashed else { return (told, plain) }
        }
        return (told, plain)
    }

    private func crash(afterWrites writes: Int, tornPermille: Int) throws -> Bool {
        let folder = TemporaryFolder()
        let kit = try TestCluster(folder) { $0.transactionMarkerDelayMs = 5 }
        kit.cluster.gate.shut(afterWrites: writes, tornPermille: tornPermille)
        var (told, plain) = play(kit)
        let hasCrashed = kit.cluster.isCrashed
        let place = "crash at write \(writes), torn after \(tornPermille)/1000"
        try kit.reopen()
        kit.advance(ms: 10)
        if kit.cluster.topics["t"] == nil {
            #expect(told.isEmpty, "\(place): the topic is lost")
            return hasCrashed
        }
        // The next incarnation ends what the last left open, and everything can be read.
        let next = TestProducer(kit)
        #expect(next.initialize() == .none, "\(place)")
        #expect(next.send("end", "end") == .none && next.send("end", partition: 1) == .none, "\(place)")
        #expect(next.end(commit: true) == .none, "\(place)")
        let first = kit.read(committed: true)
        let both = first + kit.read(partition: 1, committed: true)
        #expect(both.filter { $0 == "end" }.count == 3, "\(place)")
        var expectedOffset: Int64 = -1
        var known = Set(plain + ["end"])
        for story in told {
            known.formUnion(story.values)
            let seen = story.values.filter { both.contains($0) }.count
            let isThere = seen == story.values.count
            #expect(seen == 0 || isThere, "\(place): transaction \(story.values) is torn")
            #expect(story.wantsCommit || !isThere, "\(place): an aborted transaction is seen")
            if story.wasAnswered && story.wantsCommit { #expect(isThere, "\(place): a commit is lost") }
            if !story.wasSent { #expect(!isThere, "\(place): an unfinished transaction is seen") }
            if isThere { expectedOffset = story.offset }
        }
        #expect(kit.committed(stable: true) == (expectedOffset, .none, ""), "\(place)")
        for value in plain { #expect(first.filter { $0 == value }.count == 1, "\(place): \(value)") }
        // One unanswered plain record may be there; nothing else is, and nothing twice.
        plain = both.filter { !known.contains($0) }
        #expect(plain.count <= 1 && plain.allSatisfy { $0.hasPrefix("plain") }, "\(place): \(plain)")
        for value in Set(both) where value != "end" {
            #expect(both.filter { $0 == value }.count == 1, "\(place): \(value)")
        }
        return hasCrashed
    }

    @Test(arguments: [0, 400, 999])
    func atEveryWrite(_ tornPermille: Int) throws {
        var writes = 0
        while try crash(afterWrites: writes, tornPermille: tornPermille) { writes += 1 }
        // The history has far more steps than its requests; fewer mean that the fault was never met.
        #expect(writes > 40)
    }
}
