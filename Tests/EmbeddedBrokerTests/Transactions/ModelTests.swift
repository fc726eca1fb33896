import Testing

@testable import EmbeddedBroker

/// Random histories of several producers, plain records, offsets, clean stops and crashes, against a model of a few
/// lines. The seed is in the failure's message. `BROKER_MODEL_RUNS` sets how many histories are run.
@Suite struct ModelTests {
    /// What must be readable: every record in order with its transaction, and how transactions ended.
    private struct Model {
        enum Outcome { case open, committed, aborted }
        var log: [(value: String, transaction: Int?)] = []
        var outcomes: [Outcome] = []
        var offset: Int64 = -1
        var pendingOffsets: [Int: Int64] = [:]

        var uncommitted: [String] { log.map(\.value) }
        var committed: [String] {
            var values: [String] = []
            for (value, transaction) in log {
                guard let transaction else {
                    values.append(value)
                    continue
                }
                switch outcomes[transaction] {
                case .open: return values
                case .committed: values.append(value)
                case .aborted: continue
                }
            }
            return values
        }

        mutating func end(_ transaction: Int, _ outcome: Outcome) {
            outcomes[transaction] = outcome
            if let offset = pendingOffsets.removeValue(forKey: transaction), outcome == .committed {
                self.offset = offset
            }
        }
    }

    private final class Client {
        let producer: TestProducer
        var transaction: Int?
        init(_ producer: TestProducer) { self.producer = producer }
    }

    private func run(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let folder = TemporaryFolder()
        let kit = try TestCluster(folder)
        kit.create("t", config: ["segment.bytes": "600"])
        var model = Model()
        var clients = (0..<3).map { Client(TestProducer(kit, "tx\($0)")) }
        for client in clients { #expect(client.producer.initialize() == .none) }
        var sent = 0

        func check(_ step: Int) {
            let place = "seed \(seed), step \(step)"
            #expect(kit.read() == model.uncommitted, "\(place)")
            #expect(kit.read(committed: true) == model.committed, "\(place)")
            #expect(kit.committed().offset == model.offset, "\(place)")
        }
        for step in 0..<40 {
            let index = Int(random.next() % 3)
            let client = clients[index]
            sent += 1
            switch random.next() % 12 {
            case 0...4:
                #expect(client.producer.send("v\(sent)") == .none, "seed \(seed), step \(step)")
                if client.transaction == nil {
                    client.transaction = model.outcomes.count
                    model.outcomes.append(.open)
                }
                model.log.append(("v\(sent)", client.transaction))
            case 5:
                kit.produce(TestBatch("p\(sent)"))
                model.log.append(("p\(sent)", nil))
            case 6:
                guard let transaction = client.transaction else { continue }
                #expect(client.producer.addOffsets() == .none && client.producer.commitOffset(Int64(sent)) == .none)
                model.pendingOffsets[transaction] = Int64(sent)
            case 7, 8, 9:
                guard let transaction = client.transaction else { continue }
                let commits = random.next() % 3 > 0
                #expect(client.producer.end(commit: commits) == .none, "seed \(seed), step \(step)")
                model.end(transaction, commits ? .committed : .aborted)
                client.transaction = nil
            case 10:
                // A new incarnation fences the old one and aborts what it left.
                let next = Client(TestProducer(kit, client.producer.id))
                #expect(next.producer.initialize() == .none, "seed \(seed), step \(step)")
                if let transaction = client.transaction { model.end(transaction, .aborted) }
                clients[index] = next
            default:
                let crashes = random.next() % 2 == 0
                if crashes {
                    // The write behind the last acknowledged one is torn.
                    kit.cluster.gate.shut(afterWrites: 0, tornPermille: Int(random.next() % 1000))
                    #expect(kit.produce(TestBatch("lost")).error == .unknownServerError)
                } else {
                    kit.cluster.close()
                }
                try kit.reopen()
                kit.advance(ms: 10)
            }
            if step % 8 == 7 { check(step) }
        }
        check(40)
    }

    @Test func randomHistoriesAgreeWithTheModel() throws {
        let runs = Environment.integer("BROKER_MODEL_RUNS") ?? 100
        for seed in 0..<UInt64(runs) { try run(seed: seed &* 7919 &+ 1) }
    }
}
