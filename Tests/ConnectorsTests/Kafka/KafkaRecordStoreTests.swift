import Glibc
import Platform
import StreamEngine
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
        var state = seed
        func random(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % limit
        }
        let store = KafkaRecordStore()
        for _ in 0..<12 {
            var written: [[[UInt8]]] = []
            for _ in 0..<random(400) {
                // Now and then one that has no room in an ordinary chunk.
                let large = random(60) == 0
                let value = [UInt8](repeating: UInt8(random(256)), count: 1 + random(large ? 600_000 : 3000))
                let key = [UInt8](repeating: UInt8(random(256)), count: random(40))
                Self.add(value, key, to: store)
                written.append([value, key])
            }
            #expect(Self.contents(store) == written, "seed \(seed)")
            store.clear()
            #expect(store.records.isEmpty)
        }
    }

    @Test func whatIsLentComesBackWhenAllIsDelivered() async throws {
        try await onThread {
            let cluster = try MockCluster()
            cluster.create("out", partitions: 1)
            let producer = try KafkaProducer(cluster.connection()) { _ in }
            try producer.open(topic: "out", partitioner: "murmur2", create: nil, timeoutMs: 10_000)
            let store = KafkaRecordStore()
            for number in 0..<1000 { Self.add(Array("value \(number)".utf8), Array("k".utf8), to: store) }
            try producer.send(store, topic: "out")
            #expect(store.isLent)
            try producer.flush(timeoutMs: 20_000)
            #expect(!store.isLent)
            #expect(producer.delivered == 1000)
            producer.close()
        }
    }

    // Batches that a queue has room for in part only: nothing is lost, doubled or out of order.
    @Test func aFullQueueKeepsTheOrder() async throws {
        try await onThread {
            let cluster = try MockCluster()
            cluster.create("out", partitions: 1)
            let settings = [KafkaConnection.Setting("queue.buffering.max.messages", "50")]
            let producer = try KafkaProducer(cluster.connection(producerOptions: settings)) { _ in }
            try producer.open(topic: "out", partitioner: "murmur2", create: nil, timeoutMs: 10_000)
            let store = KafkaRecordStore()
            let values = (0..<1000).map { "value \($0)" }
            for value in values { Self.add(Array(value.utf8), [], to: store) }
            try producer.send(store, topic: "out")
            try producer.flush(timeoutMs: 20_000)
            #expect(producer.delivered == 1000)
            producer.close()
            let source = try KafkaTopicReader(
                cluster.connection(), subscriptions: [KafkaSubscription(source: "s", topics: .topics(["out"]))],
                end: .present, log: { _ in })
            defer { source.close() }
            let driver = Driver(source)
            try driver.run { $0.total >= 1000 }
            #expect(driver.values[partition("out", 0)] == values)
        }
    }

    // Records of keys are handed over partition by partition, and are where librdkafka's own rule puts them: sent one by
    // one by a producer that has only the rule's name, they lie in the same partitions, in the same order.
    @Test(arguments: ["murmur2_random", "consistent_random", "fnv1a_random", "murmur2"], [1, 5])
    func keysLieWhereLibrdkafkaPutsThem(_ rule: String, _ partitions: Int32) async throws {
        try await onThread {
            let cluster = try MockCluster()
            for topic in ["ours", "theirs"] { cluster.create(topic, partitions: partitions) }
            let producer = try KafkaProducer(cluster.connection(), sendsAtFlush: true) { _ in }
            try producer.open(topic: "ours", partitioner: rule, create: nil, timeoutMs: 10_000)
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
                try producer.flush(timeoutMs: 20_000)
                #expect(producer.delivered == 600)
                producer.close()
            }
            let source = try KafkaTopicReader(
                cluster.connection(),
                subscriptions: [KafkaSubscription(source: "s", topics: .topics(["ours", "theirs"]))], end: .present,
                log: { _ in })
            defer { source.close() }
            let driver = Driver(source)
            try driver.run { $0.total >= 1200 }
            var filled = 0
            for number in 0..<partitions {
                let ours = driver.values[partition("ours", number)]
                #expect(ours == driver.values[partition("theirs", number)])
                filled += ours == nil ? 0 : 1
            }
            #expect(filled == partitions)
        }
    }

    // Many at once are flushed on the way.
    @Test func moreThanGatherAtOnceAreSentInOrder() async throws {
        try await onThread {
            let cluster = try MockCluster()
            cluster.create("out", partitions: 1)
            let producer = try KafkaProducer(cluster.connection(), sendsAtFlush: true) { _ in }
            try producer.open(topic: "out", partitioner: "murmur2_random", create: nil, timeoutMs: 10_000)
            let store = KafkaRecordStore()
            let values = (0..<40_000).map { "\($0)" }
            for value in values { Self.add(Array(value.utf8), Array("k".utf8), to: store) }
            try producer.send(store, topic: "out")
            #expect(store.isLent)
            #expect(producer.delivered >= 32_768)
            try producer.flush(timeoutMs: 20_000)
            #expect(!store.isLent)
            #expect(producer.delivered == 40_000)
            producer.close()
            let source = try KafkaTopicReader(
                cluster.connection(), subscriptions: [KafkaSubscription(source: "s", topics: .topics(["out"]))],
                end: .present, log: { _ in })
            defer { source.close() }
            let driver = Driver(source)
            try driver.run { $0.total >= 40_000 }
            #expect(driver.values[partition("out", 0)] == values)
        }
    }

    // Brokers that do not answer: the records stay with the client, which frees them when it ends.
    @Test func whatIsNotDeliveredStaysWithTheClient() async throws {
        try await onThread {
            let cluster = try MockCluster()
            cluster.create("out", partitions: 1)
            var producer: KafkaProducer? = try KafkaProducer(cluster.connection()) { _ in }
            try producer?.open(topic: "out", partitioner: "murmur2", create: nil, timeoutMs: 10_000)
            cluster.setDown(true)
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
