/// The text that `kafka-path` feeds: scrapes of all series, one after the other, each series in one partition, 134 bytes
/// a sample or so. The same arguments give the same bytes.
struct PathInput {
    var samples = 4_000_000
    var series = 1000
    var partitions = 4
    /// Samples of a message.
    var lines = 250
    /// Event time between two scrapes.
    var scrapeMs = 1000

    /// What a child process is given.
    var arguments: [String] { [samples, series, partitions, lines, scrapeMs].map(String.init) }

    init() {}

    /// From `arguments`.
    init?(_ arguments: some Collection<String>) {
        let numbers = arguments.compactMap { Int($0) }
        guard numbers.count == 5 else { return nil }
        (samples, series, partitions, lines, scrapeMs) = (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4])
    }

    /// Hands over each message in the order it is written. The bytes are good until the next.
    func forEachMessage(_ body: (_ partition: Int, _ bytes: [UInt8]) throws -> Void) rethrows {
        let each = series / partitions
        let prefixes = (0..<series).map { index in
            Array(
                "node_network_receive_bytes_\(index % 50){device=\"eth0\",instance=\"node-\(index / 50):9100\",job=\"node\",region=\"eu-central-1\",rack=\"r\(index % 7)\"} "
                    .utf8)
        }
        var message: [UInt8] = []
        for scrape in 0..<(samples / series) {
            let time = Array(" \(1_767_225_600_000 + scrape * scrapeMs)\n".utf8)
            for partition in 0..<partitions {
                for first in stride(from: 0, to: each, by: lines) {
                    message.removeAll(keepingCapacity: true)
                    for index in first..<min(first + lines, each) {
                        let number = partition * each + index
                        message += prefixes[number]
                        let value = (number * 7919 + scrape * 104_729) % 1_000_003
                        message += Array("\(value).\(value % 89 + 10)".utf8)
                        message += time
                    }
                    try body(partition, message)
                }
            }
        }
    }

    /// Windows of a minute that hold samples; every series is in each. The first begins with the first scrape.
    var windowsBegun: Int { (samples / series * scrapeMs + 59_999) / 60_000 }

    /// Those of them that a watermark so far behind the last scrape has passed.
    func windowsClosed(delayMs: Int) -> Int { max(0, (samples / series - 1) * scrapeMs - delayMs) / 60_000 }

    /// Messages in all.
    var messages: Int {
        let each = series / partitions
        return samples / series * partitions * ((each + lines - 1) / lines)
    }
}
