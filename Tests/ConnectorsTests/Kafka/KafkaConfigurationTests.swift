import StreamEngine
import Testing

@testable import Connectors

@Suite struct KafkaConfigurationTests {
    @Test(arguments: KafkaConnection.reserved.sorted())
    func reservedSettingsAreRefusedWithTheReason(_ name: String) {
        #expect(KafkaConfiguration.check(name: name, value: "x")?.hasPrefix("`\(name)` is reserved: ") == true)
    }

    @Test(arguments: [
        ("security.protocol", "sasl_ssl"), ("sasl.mechanism", "PLAIN"), ("sasl.username", "u"),
        ("ssl.ca.location", "/nowhere"), ("fetch.max.bytes", "1000000"), ("session.timeout.ms", "6000"),
        ("partition.assignment.strategy", "cooperative-sticky"), ("compression.type", "zstd"), ("acks", "all"),
    ])
    func othersMayStand(_ name: String, _ value: String) {
        #expect(KafkaConfiguration.check(name: name, value: value) == nil)
    }

    @Test func anUnknownSettingIsNamedWithTheNearest() {
        let text = KafkaConfiguration.check(name: "session.timeout", value: "6000")
        #expect(text?.contains("knows no setting `session.timeout`") == true)
        #expect(text?.contains("did you mean `session.timeout.ms`?") == true)
    }

    @Test func aBadValueIsNamedInLibrdkafkasWords() {
        let text = KafkaConfiguration.check(name: "fetch.max.bytes", value: "lots")
        #expect(text?.hasPrefix("librdkafka does not take `fetch.max.bytes: lots`: ") == true)
        #expect(KafkaConfiguration.check(name: "sasl.password", value: "s3cret")?.contains("s3cret") != true)
    }

    @Test func fixedSettingsWin() throws {
        let connection = KafkaConnection(brokers: "h:1", options: [.init("client.id", "mine")])
        let settings = try KafkaConfiguration(.consumer, connection).settings
        func last(_ name: String) -> String? { settings.last { $0.name == name }?.value }
        #expect(last("client.id") == "mine")
        #expect(last("isolation.level") == "read_committed")
        #expect(last("enable.auto.commit") == "false")
        #expect(last("auto.offset.reset") == "error")
        #expect(throws: SourceError.self) { try KafkaConfiguration(.consumer, KafkaConnection()) }
        #expect(throws: SourceError.self) {
            try KafkaConfiguration(.consumer, KafkaConnection(brokers: "h:1", options: [.init("group.id", "x")]))
        }
    }

    @Test func brokerStatesAreReadOutOfStatistics() {
        let text = """
            { "name": "c", "brokers":{ "localhost:9092/1": { "name":"localhost:9092/1", "nodeid":1, \
            "nodename":"localhost:9092", "state":"UP", "toppars":{ } } , "ssl://b:1/bootstrap": \
            { "name":"ssl://b:1/bootstrap", "state":"DOWN" }, "GroupCoordinator": { "name":"GroupCoordinator", \
            "state":"UP" } }, "topics":{ "name":"x", "state":"UP" } }
            """
        let bytes = Array(text.utf8)
        #expect(
            bytes.withUnsafeBufferPointer { KafkaBrokerStates.up(in: $0) } == ["localhost:9092", "GroupCoordinator"])
        // Cut anywhere, it is read as far as it goes.
        for count in 0..<bytes.count {
            _ = bytes[..<count].withUnsafeBufferPointer { KafkaBrokerStates.up(in: $0) }
        }
        #expect(KafkaBrokerStates.address("sasl_ssl://b:1/bootstrap") == "b:1")
    }
}
