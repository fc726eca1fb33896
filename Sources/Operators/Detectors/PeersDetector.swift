import Platform
import StreamEngine

/// `peers`: one key against the others of its group in the same window.
///
/// Finds the skewed executor, the slow node, the hot partition, whatever the time of day and however fast all of them
/// change together; misses what happens to all, and groups of which half are wrong. A value is flagged when it is more
/// than `mads` deviations from its group's median. The deviation is 1.4826 times the median distance from it (Hampel
/// 1974), not less than its own average over the past windows, because that of a few values alone is often small by
/// chance; where more than half are equal it is 1.2533 times the mean distance (Iglewicz and Hoaglin 1993). Groups of
/// fewer than `minPeers` values are not judged. 4 bytes a key and 40 a group.
public struct PeersDetector: DetectorFactory {
    public let name = "peers"
    public let summary = "one key against the others of its group"
    public let defaultWarmup = 30
    public let parameters: [OptionKey] = [
        .defaulted(
            "by", .list(.text(.column)), .list([]), "labels that keys of one group share; none: all are one group"),
        .defaulted("mads", .number(0.1...1e6), .number(5), "flags beyond this many deviations from the median"),
        .defaulted("minPeers", .integer(3...1_000_000), .integer(4), "groups of fewer values are not judged"),
    ]

    /// The one factory there is.
    public init() {}

    public func groupingLabels(_ options: CheckedOptions) -> [String]? { options.texts("by") }

    public func bytesPerKey(_ options: CheckedOptions, _ setting: DetectorSetting) -> Int {
        MemoryLayout<UInt32>.stride + MemoryLayout<Peers.Group>.stride
    }

    public func make(_ options: CheckedOptions, _ setting: DetectorSetting) -> any Detector {
        Peers(
            column: setting.column, by: options.texts("by").map { ByteString($0) },
            mads: options.number("mads") ?? 5, minPeers: options.requiredInteger("minPeers"))
    }
}

/// The groups of `peers`.
final class Peers: Detector {
    /// What is remembered of a group.
    struct Group {
        /// Average deviation over past windows.
        var deviation = 0.0
        /// Windows judged.
        var windows: UInt32 = 0
        /// Of the window judged last: not part of what is kept.
        var spread = 0.0
        var median = 0.0
        var peers: UInt32 = 0
    }

    private let column: String
    private let by: [ByteString]
    private let mads: Double
    private let minPeers: Int
    /// The group of each key, numbered by its first key.
    private var groupOf: [UInt32] = []
    private var groups: [Group] = []
    private var groupByLabels: [[ByteString?]: UInt32] = [:]
    /// One group's values, and their distances.
    private var scratch: [[Double]] = []

    init(column: String, by: [ByteString], mads: Double, minPeers: Int) {
        self.column = column
        self.by = by
        self.mads = mads
        self.minPeers = minPeers
    }

    func addKeys(_ keys: [DetectorKey]) {
        for key in keys {
            let labels = by.map { key.value(of: $0) }
            if let group = groupByLabels[labels] {
                groupOf.append(group)
            } else {
                let group = UInt32(groups.count)
                groupByLabels[labels] = group
                groups.append(Group())
                scratch.append([])
                groupOf.append(group)
            }
        }
    }

    func judge(_ ticks: DetectorTicks, into verdicts: inout [DetectorVerdict]) {
        for group in scratch.indices { scratch[group].removeAll(keepingCapacity: true) }
        for row in ticks.keys.indices where ticks.present[row] {
            guard let value = Measurable.clamp(ticks.values[row]) else { continue }
            scratch[Int(groupOf[Int(ticks.keys[row])])].append(value)
        }
        for group in groups.indices { measure(group) }
        for row in ticks.keys.indices where ticks.present[row] {
            guard let value = Measurable.clamp(ticks.values[row]) else { continue }
            verdicts[row] = verdict(value, groups[Int(groupOf[Int(ticks.keys[row])])])
        }
    }

    /// Learns one window of a group. O(n log n).
    private func measure(_ index: Int) {
        let count = scratch[index].count
        groups[index].peers = UInt32(clamping: count)
        guard count >= minPeers else { return }
        scratch[index].sort()
        let median = Self.middle(scratch[index])
        for place in 0..<count { scratch[index][place] = abs(scratch[index][place] - median) }
        let meanDistance = scratch[index].reduce(0) { $0 + $1 / Double(count) }
        scratch[index].sort()
        var deviation = 1.4826 * Self.middle(scratch[index])
        if deviation == 0 { deviation = 1.2533 * meanDistance }
        groups[index].median = median
        groups[index].windows = min(groups[index].windows + 1, 100)
        let past = groups[index].deviation
        // One window may not widen it much: the deviation of a group in trouble is no measure of what is usual.
        let learnt = groups[index].windows > 3 && past > 0 ? min(deviation, 3 * past) : deviation
        groups[index].deviation += (learnt - past) / Double(groups[index].windows)
        groups[index].spread = max(deviation, groups[index].deviation)
    }

    private func verdict(_ value: Double, _ group: Group) -> DetectorVerdict {
        guard group.peers >= minPeers else { return DetectorVerdict() }
        let width = mads * max(group.spread, 0.01 * abs(group.median), 1e-12)
        let distance = abs(value - group.median)
        return DetectorVerdict(
            // 1/2 at the bound.
            score: distance / (distance + width), isFlagged: distance > width, expected: group.median,
            lower: group.median - width, upper: group.median + width)
    }

    private static func middle(_ sorted: [Double]) -> Double {
        let half = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[half] : sorted[half - 1] / 2 + sorted[half] / 2
    }

    func reason(_ row: Int, _ ticks: DetectorTicks, _ verdict: DetectorVerdict) -> String {
        let group = groups[Int(groupOf[Int(ticks.keys[row])])]
        let value = ticks.values[row]
        let isAbove = value > verdict.expected
        return "\(column) \(ReasonText.number(value)) is \(isAbove ? "above" : "below") "
            + "\(ReasonText.number(isAbove ? verdict.upper : verdict.lower)), the \(isAbove ? "highest" : "lowest") "
            + "expected where the median of \(group.peers) peers is \(ReasonText.number(group.median))"
    }

    func forget(_ newIndex: [UInt32]) {
        // Groups keep their order and are numbered by their first key, as `addKeys` would number them anew.
        var renumbered = [UInt32](repeating: .max, count: groups.count)
        var kept: [Group] = []
        var keptOf: [UInt32] = []
        for (old, new) in newIndex.enumerated() where new != .max {
            let group = Int(groupOf[old])
            if renumbered[group] == .max {
                renumbered[group] = UInt32(kept.count)
                kept.append(groups[group])
            }
            keptOf.append(renumbered[group])
        }
        groupByLabels = groupByLabels.filter { renumbered[Int($0.value)] != .max }
            .mapValues { renumbered[Int($0)] }
        groups = kept
        groupOf = keptOf
        scratch = [[Double]](repeating: [], count: kept.count)
    }

    func encode(to writer: inout ByteWriter) {
        for group in groups {
            writer.write(group.deviation)
            writer.write(group.windows)
        }
    }

    func decode(from reader: inout ByteReader) throws(DecodingFailure) {
        for index in groups.indices {
            groups[index].deviation = try reader.readMagnitude("deviation")
            groups[index].windows = try reader.read()
            guard groups[index].windows <= 100 else {
                throw DecodingFailure("peers count at most 100 windows, not \(groups[index].windows)")
            }
        }
    }

    var byteCount: Int {
        groupOf.capacity * MemoryLayout<UInt32>.stride + groups.capacity * MemoryLayout<Group>.stride
    }
}
