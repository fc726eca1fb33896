import Platform
import TestSupport

/// The input of a crash test: messages of each partition, the same for the same seed, with disorder, late samples, counter
/// resets and bad lines.
struct CrashWorkload {
    static let topic = "metrics"
    /// Messages of each partition, in order; several lines each.
    let messages: [[String]]
    /// The events beside them, one a line; the last one lets every verdict go.
    let events: [String]

    /// `count` messages a partition, and one that closes every window of the others.
    init(seed: UInt64, partitions: Int = 3, count: Int = 240) {
        let parts = (0..<partitions).map { Self.partition(seed: seed, $0, count: count) }
        let end = (parts.map(\.lastMs).max() ?? 0) + 3_600_000
        messages = parts.enumerated().map { index, part in
            part.messages + ["temperature{instance=\"end-\(index)\",zone=\"end\"} 0 \(end)\n"]
        }
        events = Self.events(seed: seed, partitions, until: end)
    }

    private static func events(seed: UInt64, _ partitions: Int, until endMs: Int64) -> [String] {
        var chance = SeededRandom(seed: seed &+ 77)
        var clockMs: Int64 = 1_767_225_600_000
        func event(_ atMs: Int64, _ type: String, _ instance: String) -> String {
            #"{"timestamp":\#(atMs),"type":"\#(type)","reason":"r","severity":"info","object":"o","labels":{"instance":"\#(instance)"}}"#
        }
        let events = (0..<60).map { _ in
            clockMs += Int64(chance.below(14_000))
            let type = ["ClusterUpgrade", "NodeMemoryPressure", "ClusterScaling"][chance.below(3)]
            return event(
                clockMs - Int64(chance.below(12_000)), type, "host-\(chance.below(partitions))-\(chance.below(5))")
        }
        return events + [event(endMs + 86_400_000, "End", "")]
    }

    /// Files with the same lines, for `replay`: of the metrics a directory, of the events one.
    func write(in scratch: Scratch) throws -> [(source: String, path: String)] {
        let directory = scratch.fresh("input")
        try PosixFileSystem().createDirectories(directory)
        for (index, partition) in messages.enumerated() {
            try PosixFileSystem().writeAtomically(Array(partition.joined().utf8), to: "\(directory)/part-\(index).prom")
        }
        let events = try scratch.write(events.joined(separator: "\n") + "\n", to: "events.jsonl")
        return [(Self.topic, directory), ("changes", events)]
    }

    private static func partition(seed: UInt64, _ index: Int, count: Int) -> (messages: [String], lastMs: Int64) {
        var chance = SeededRandom(seed: seed &* 31 &+ UInt64(index))
        var counters = [Int](repeating: 0, count: 5)
        var clockMs: Int64 = 1_767_225_600_000
        var lastMs = clockMs
        let messages = (0..<count).map { _ in
            (0...chance.below(4)).map { _ in
                clockMs += Int64(chance.below(900))
                let atMs =
                    switch chance.below(40) {
                    case 0: clockMs - 20_000 - Int64(chance.below(70_000))
                    case 1..<12: clockMs - Int64(chance.below(7000))
                    default: clockMs
                    }
                lastMs = max(lastMs, atMs)
                let host = chance.below(counters.count)
                let labels = "{instance=\"host-\(index)-\(host)\",zone=\"zone-\(host % 2)\"}"
                switch chance.below(33) {
                case 0: return "rubbish{{{\n"
                case 1: return "temperature\(labels) warm \(atMs)\n"
                case 2: return "other\(labels) 1 \(atMs)\n"
                case 3..<18: return "temperature\(labels) \(Double(chance.below(80_000)) / 1000) \(atMs)\n"
                default:
                    counters[host] = chance.below(50) == 0 ? 0 : counters[host] + chance.below(50)
                    return "requests_total\(labels) \(counters[host]) \(atMs)\n"
                }
            }.joined()
        }
        return (messages, lastMs)
    }
}
