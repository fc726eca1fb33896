import CRdkafka
import Glibc

// librdkafka's mock cluster as a program, for trying things by hand and for tests of whole commands. It keeps records
// in memory, has groups and offsets, no real transactions, no topic creation by clients' request.
//
//     mock-kafka [--brokers N] TOPIC[:PARTITIONS] …
//
// Prints the bootstrap servers on the first line of stdout, and stays until stdin closes.

func fail(_ text: String) -> Never {
    let line = Array("mock-kafka: \(text)\n".utf8)
    _ = write(STDERR_FILENO, line, line.count)
    exit(2)
}

var brokerCount: Int32 = 1
var topics: [(name: String, partitions: Int32)] = []
var arguments = CommandLine.arguments.dropFirst()
while let argument = arguments.popFirst() {
    if argument == "--brokers" {
        guard let count = arguments.popFirst().flatMap({ Int32($0) }), (1...100).contains(count) else {
            fail("--brokers takes a number from 1 to 100")
        }
        brokerCount = count
        continue
    }
    guard !argument.hasPrefix("-") else { fail("usage: mock-kafka [--brokers N] TOPIC[:PARTITIONS] …") }
    let parts = argument.split(separator: ":", maxSplits: 1)
    guard let name = parts.first, let partitions = parts.count > 1 ? Int32(parts[1]) : 4, partitions > 0 else {
        fail("a topic is NAME or NAME:PARTITIONS, not \(argument)")
    }
    topics.append((String(name), partitions))
}

var text = [CChar](repeating: 0, count: 512)
let conf = rd_kafka_conf_new()
// The client it is bound to connects to nothing, and would complain of that.
rd_kafka_conf_set(conf, "log_level", "0", &text, text.count)
guard let handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, &text, text.count),
    let cluster = rd_kafka_mock_cluster_new(handle, brokerCount),
    let servers = rd_kafka_mock_cluster_bootstraps(cluster)
else { fail("librdkafka gives no mock cluster") }
for topic in topics {
    let code = rd_kafka_mock_topic_create(cluster, topic.name, topic.partitions, min(brokerCount, 3))
    if code != RD_KAFKA_RESP_ERR_NO_ERROR { fail("topic \(topic.name): \(String(cString: rd_kafka_err2str(code)))") }
}
print(String(cString: servers))
fflush(nil)

var byte: UInt8 = 0
while read(STDIN_FILENO, &byte, 1) > 0 {}
rd_kafka_mock_cluster_destroy(cluster)
rd_kafka_destroy(handle)
