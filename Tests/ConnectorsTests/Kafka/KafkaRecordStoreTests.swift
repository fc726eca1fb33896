import Glibc
import Platform
import StreamEngine
import TestSupport
import Testing

@testable import Connectors

@Suite struct KafkaRecordStoreTests {
    private static func add(_ value: [UInt8], _ key: [UInt8], to store: KafkaRecordStore) {
        value.withUnsafeBytes { value in key.withUnsafeBytes { store.append(value: value, key: $0) } }
    }

    private static func contents(_ store: KafkaRecordStore) -> [[[UInt8]]] {
        store.records.map { record in
            [
                Array(UnsafeRawBufferPointer(start: record.value, count: record.valueCount)),
                Array(UnsafeRawBufferPointer(start: record.key, count: record.keyCount)),
            ]
        }
    }

    // Epochs of any size after each other: everything stays as it was written until it is forgotten.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func recordsStayAsTheyWereWritten(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let store = KafkaRecordStore()
        for _ in 0..<12 {
            var written: [[[UInt8]]] = []
            for _ in 0..<random.below(400) {
                // Now and then one that has no room in an ordinary chunk.
                let large = random.below(60) == 0
                let value = [UInt8](
                    repeating: UInt8(random.below(256)), count: 1 + random.below(large ? 600_000 : 3000))
                let key = [UInt8](repeating: UInt8(random.below(256)), count: random.below(40))
                Self.add(value, key, to: store)
                written.append([value, key])
            }
            #expect(Self.contents(store) == written, "seed \(seed)")
            store.clear()
            #expect(store.records.isEmpty)
        }
    }

    @Test func whatIsLentComesBackWhenAllIsDelivered() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("out", partitions: 1)
            let producer = try KafkaProducer(cluster.connection()) { _ in }
            try producer.open(topic: "out", partitioner: "murmur2", create: nil, timeoutMs: Int(hungAfterMs))
            let store = KafkaRecordStore()
            for number in 0..<1000 { Self.add(Array("value \(number)".utf8), Array("k".utf8), to: store) }
            try producer.send(store, topic: "out")
            #expect(store.isLent)
            try producer.flush(timeoutMs: Int(hungAfterMs))
            #expect(!store.isLent)
            #expect(producer.delivered == 1000)
            producer.close()
        }
    }

    // Batches that a queue has room for in part only: nothing is lost, doubled or out of order.
    @Test func aFullQueueKeepsTheOrder() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("out", partitions: 1)
            let settings = [KafkaConnection.Setting("queue.buffering.max.messages", "50")]
            let producer = try KafkaProducer(cluster.connection(producerOptions: settings)) { _ in }
            try producer.open(topic: "out", partitioner: "murmur2", create: nil, timeoutMs: Int(hungAfterMs))
            let store = KafkaRecordStore()
            let values = (0..<1000).map { "value \($0)" }
            for value in values { Self.add(Array(value.utf8), [], to: store) }
            try producer.send(store, topic: "out")
            try producer.flush(timeoutMs: Int(hungAfterMs))
            #expect(producer.delivered == 1000)
            producer.close()
            #expect(try cluster.values(of: ["out"]) == [partition("out", 0): values])
        }
    }

    // Records of keys are handed over partition by partition, and are where librdkafka's own rule puts them: sent one by
    // one by a producer that has only the rule's name, they lie in the same partitions, in the same order.
    @Test(arguments: ["murmur2_random", "consistent_random", "fnv1a_random", "murmur2"], [1, 5])
    func keysLieWhereLibrdkafkaPutsThem(_ rule: String, _ partitions: Int32) async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            for topic in ["ours", "theirs"] { cluster.create(topic, partitions: partitions) }
            let producer = try KafkaProducer(cluster.connection(), sendsAtFlush: true) { _ in }
            try producer.open(topic: "ours", partitioner: rule, create: nil, timeoutMs: Int(hungAfterMs))
            let plain = try KafkaProducer(
                cluster.connection(producerOptions: [KafkaConnection.Setting("partitioner", rule)])
            ) { _ in }
            let store = KafkaRecordStore()
            for number in 0..<600 {
                let (key, value) = (Array("key=\(number % 97)".utf8), Array("value \(number)".utf8))
                Self.add(value, key, to: store)
                try value.withUnsafeBytes { try plain.send(topic: "theirs", key: key, value: $0) }
            }
            try producer.send(store, topic: "ours")
            for producer in [producer, plain] {
                try producer.flush(timeoutMs: Int(hungAfterMs))
                #expect(producer.delivered == 600)
                producer.close()
            }
            let values = try cluster.values(of: ["ours", "theirs"])
            for number in 0..<partitions {
                let ours = values[partition("ours", number)]
                #expect(ours?.isEmpty == false && ours == values[partition("theirs", number)])
            }
        }
    }

    // Many at once are flushed on the way.
    @Test func moreThanGatherAtOnceAreSentInOrder() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("out", partitions: 1)
            let producer = try KafkaProducer(cluster.connection(), sendsAtFlush: true) { _ in }
            try producer.open(topic: "out", partitioner: "murmur2_random", create: nil, timeoutMs: Int(hungAfterMs))
            let store = KafkaRecordStore()
            let values = (0..<40_000).map { "\($0)" }
            for value in values { Self.add(Array(value.utf8), Array("k".utf8), to: store) }
            try producer.send(store, topic: "out")
            #expect(store.isLent)
            #expect(producer.delivered >= 32_768)
            try producer.flush(timeoutMs: Int(hungAfterMs))
            #expect(!store.isLent)
            #expect(producer.delivered == 40_000)
            producer.close()
            #expect(try cluster.values(of: ["out"]) == [partition("out", 0): values])
        }
    }

    // Brokers that do not answer: the records stay with the client, which frees them when it ends.
    @Test func whatIsNotDeliveredStaysWithTheClient() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("out", partitions: 1)
            var producer: KafkaProducer? = try KafkaProducer(cluster.connection()) { _ in }
            try producer?.open(topic: "out", partitioner: "murmur2", create: nil, timeoutMs: Int(hungAfterMs))
            cluster.stop()
            let store = KafkaRecordStore()
            Self.add([1, 2, 3], [], to: store)
            try producer?.send(store, topic: "out")
            #expect(throws: SinkError.self) { try producer?.flush(timeoutMs: 200) }
            #expect(store.isLent)
            producer?.purge()
            #expect(!store.isLent)
            try producer?.send(store, topic: "out")
            producer = nil
            #expect(!store.isLent)
        }
    }
}
