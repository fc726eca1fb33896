import Platform

/// Where things lie in a checkpoint directory (docs/checkpoint-format.md).
struct CheckpointLayout: Sendable {
    let root: String

    /// `epochs`: a directory for each incarnation.
    var epochs: String { FilePath.join(root, "epochs") }
    /// `state`: a directory for each incarnation whose epochs' state was written whole.
    var states: String { FilePath.join(root, "state") }
    /// `decisions`: a directory for each incarnation, with what its epochs held that were cleaned away.
    var decisions: String { FilePath.join(root, "decisions") }
    /// `job.json`.
    var job: String { FilePath.join(root, "job.json") }

    /// The epochs that an incarnation wrote.
    func epochs(of incarnation: String) -> String { FilePath.join(epochs, incarnation) }
    /// Snapshots of partitions at an incarnation's epochs.
    func states(of incarnation: String) -> String { FilePath.join(states, incarnation) }
    /// Decisions of an incarnation's epochs that went.
    func decisions(of incarnation: String) -> String { FilePath.join(decisions, incarnation) }
    /// An epoch's file.
    func epoch(_ token: EpochToken) -> String { FilePath.join(epochs(of: token.incarnation), "\(token.number)") }
    /// A partition's snapshot at an epoch.
    func snapshot(_ partition: PartitionID, at token: EpochToken) -> String {
        FilePath.join(states(of: token.incarnation), Self.snapshotName(partition, at: token.number))
    }

    /// `<n>-<source>~<topic>~<partition>`. A file name has 255 bytes at most: where source and topic are too long for it,
    /// they are cut and a checksum of both stands behind them.
    static func snapshotName(_ partition: PartitionID, at number: Int) -> String {
        var name = escaped(partition.source) + "~" + escaped(partition.topic)
        if name.utf8.count > 200 {
            let sum = XXH64.hash(Array("\(partition.source)\u{0}\(partition.topic)".utf8))
            name = String(decoding: name.utf8.prefix(170), as: UTF8.self) + "~" + String(sum, radix: 16)
        }
        return "\(number)-\(name)~\(partition.partition)"
    }

    /// A temporary name is never taken for a file.
    static func temporaryName(_ name: String) -> String { ".\(name).tmp" }
    /// Whether a name is that of a file that was never finished.
    static func isTemporary(_ name: String) -> Bool { name.hasPrefix(".") && name.hasSuffix(".tmp") }

    /// Whether a text can be an incarnation, and so part of a path: tokens also come from outside.
    static func isIncarnation(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count) && text.utf8.allSatisfy(isPlain) && text.utf8.first != UInt8(ascii: ".")
    }

    /// The number of an epoch's file, nil for any other name.
    static func number(of name: String) -> Int? {
        guard let number = Int(name), number >= 0, "\(number)" == name else { return nil }
        return number
    }

    /// The epoch's number in a snapshot's name, nil for any other name.
    static func number(ofSnapshot name: String) -> Int? {
        guard let dash = name.firstIndex(of: "-") else { return nil }
        return number(of: String(name[..<dash]))
    }

    /// `<first>-<last>`: the epochs whose decisions a file holds.
    static func decisionsName(_ epochs: ClosedRange<Int>) -> String { "\(epochs.lowerBound)-\(epochs.upperBound)" }

    /// The epochs in the name of a file of decisions, nil for any other name.
    static func epochs(ofDecisions name: String) -> ClosedRange<Int>? {
        let parts = name.split(separator: "-", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, let first = number(of: parts[0]), let last = number(of: parts[1]), first <= last else {
            return nil
        }
        return first...last
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    /// Letters, digits, `-`, `_` and `.` stand for themselves, every other byte for `%XX`.
    private static func escaped(_ text: String) -> String {
        text.utf8.map { byte in
            if isPlain(byte) { return String(UnicodeScalar(byte)) }
            let digits = String(byte, radix: 16, uppercase: true)
            return "%" + (digits.count == 1 ? "0" : "") + digits
        }.joined()
    }
}
