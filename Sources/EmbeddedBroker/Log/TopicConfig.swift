/// A topic's configuration: Kafka's names, defaults and checks for those the broker acts on, and a few it only keeps.
struct TopicConfig {
    /// How a value is written, with Kafka's type numbers (DescribeConfigs, ConfigType).
    enum Kind: Int8 {
        case boolean = 1
        case string = 2
        case int = 3
        case long = 5
        case double = 6
        case list = 7
    }

    /// One configuration key.
    struct Key {
        let name: String
        let defaultValue: String
        let kind: Kind
        var range: ClosedRange<Int64> = Int64.min...Int64.max
        var allowed: [String] = []
        /// Whether the broker acts on it; else it is kept and described only.
        var isActedOn = false
    }

    /// All keys, sorted by name.
    static let keys: [Key] = [
        Key(name: "cleanup.policy", defaultValue: "delete", kind: .list, allowed: ["delete", "compact"]),
        Key(
            name: "compression.type", defaultValue: "producer", kind: .string,
            allowed: ["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"]),
        Key(name: "delete.retention.ms", defaultValue: "86400000", kind: .long, range: 0...Int64.max),
        Key(name: "file.delete.delay.ms", defaultValue: "60000", kind: .long, range: 0...Int64.max),
        Key(name: "flush.messages", defaultValue: "9223372036854775807", kind: .long, range: 1...Int64.max),
        Key(name: "flush.ms", defaultValue: "9223372036854775807", kind: .long, range: 0...Int64.max),
        Key(name: "index.interval.bytes", defaultValue: "4096", kind: .int, range: 0...Int64(Int32.max)),
        Key(
            name: "max.message.bytes", defaultValue: "1048588", kind: .int, range: 0...Int64(Int32.max),
            isActedOn: true),
        Key(name: "message.timestamp.after.max.ms", defaultValue: "3600000", kind: .long, range: 0...Int64.max),
        Key(
            name: "message.timestamp.before.max.ms", defaultValue: "9223372036854775807", kind: .long,
            range: 0...Int64.max),
        Key(
            name: "message.timestamp.type", defaultValue: "CreateTime", kind: .string,
            allowed: ["CreateTime", "LogAppendTime"], isActedOn: true),
        Key(name: "min.cleanable.dirty.ratio", defaultValue: "0.5", kind: .double),
        Key(name: "min.compaction.lag.ms", defaultValue: "0", kind: .long, range: 0...Int64.max),
        Key(name: "min.insync.replicas", defaultValue: "1", kind: .int, range: 1...Int64(Int32.max)),
        Key(name: "preallocate", defaultValue: "false", kind: .boolean, allowed: ["true", "false"]),
        Key(name: "retention.bytes", defaultValue: "-1", kind: .long, isActedOn: true),
        Key(name: "retention.ms", defaultValue: "604800000", kind: .long, range: -1...Int64.max, isActedOn: true),
        Key(
            name: "segment.bytes", defaultValue: "67108864", kind: .int, range: 14...Int64(Int32.max),
            isActedOn: true),
        Key(name: "segment.ms", defaultValue: "604800000", kind: .long, range: 1...Int64.max, isActedOn: true),
        Key(
            name: "unclean.leader.election.enable", defaultValue: "false", kind: .boolean, allowed: ["true", "false"]),
    ]

    /// What was set for the topic; the rest has its default.
    private(set) var overrides: [String: String] = [:]
    /// `max.message.bytes`.
    private(set) var maxMessageBytes = 1_048_588
    /// `message.timestamp.type` is LogAppendTime.
    private(set) var stampsAppendTime = false
    /// `retention.ms`; -1: for ever.
    private(set) var retentionMs: Int64 = 604_800_000
    /// `retention.bytes`; -1: no bound.
    private(set) var retentionBytes = -1
    /// `segment.bytes`.
    private(set) var segmentBytes = 64 << 20
    /// `segment.ms`.
    private(set) var segmentMs: Int64 = 604_800_000
    /// `cleanup.policy` contains delete.
    private(set) var deletes = true

    /// The defaults.
    init() {}

    /// The defaults with these values; throws Kafka's INVALID_CONFIG.
    init(_ overrides: [String: String]) throws(BatchRefusal) {
        for (name, value) in overrides { try Self.check(name, value) }
        self.overrides = overrides
        func number(_ name: String, _ fallback: Int64) -> Int64 { overrides[name].flatMap { Int64($0) } ?? fallback }
        maxMessageBytes = Int(number("max.message.bytes", Int64(maxMessageBytes)))
        stampsAppendTime = overrides["message.timestamp.type"] == "LogAppendTime"
        retentionMs = number("retention.ms", retentionMs)
        retentionBytes = Int(number("retention.bytes", -1))
        segmentBytes = Int(number("segment.bytes", Int64(segmentBytes)))
        segmentMs = number("segment.ms", segmentMs)
        deletes = overrides["cleanup.policy"].map { $0.split(separator: ",").contains("delete") } ?? true
    }

    private static func check(_ name: String, _ value: String) throws(BatchRefusal) {
        guard let key = keys.first(where: { $0.name == name }) else {
            throw BatchRefusal(code: .invalidConfig, message: "Unknown topic config name: \(name)")
        }
        let isValid: Bool
        switch key.kind {
        case .int, .long: isValid = Int64(value).map { key.range.contains($0) } ?? false
        case .double: isValid = Double(value).map { (0...1).contains($0) } ?? false
        case .list:
            let parts = value.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            isValid = parts.allSatisfy { key.allowed.contains($0) }
        case .boolean, .string: isValid = key.allowed.contains(value)
        }
        guard isValid else {
            throw BatchRefusal(
                code: .invalidConfig, message: "Invalid value \(value) for configuration \(name)")
        }
    }

    /// The value in force.
    func value(of key: Key) -> String { overrides[key.name] ?? key.defaultValue }
}

/// Kafka's rules for topic names.
enum TopicName {
    /// Why Kafka refuses the name; nil: it is fine.
    static func refusal(_ name: String) -> String? {
        if name.isEmpty { return "the topic name is empty" }
        if name == "." || name == ".." { return "the topic name cannot be `.` or `..`" }
        if name.utf8.count > 249 { return "the topic name is longer than 249 characters" }
        for byte in name.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                continue
            default:
                return "the topic name `\(name)` holds a character other than ASCII alphanumerics, `.`, `_` and `-`"
            }
        }
        return nil
    }
}
