/// Finds out from librdkafka's log what the brokers can do. librdkafka has no other way to ask, and falls back in silence
/// where a broker is too old to fence the offsets of a transaction (KIP-447, Kafka 2.5).
struct KafkaBrokerVersions {
    /// The setting that makes librdkafka log what each broker supports.
    static let debugContext = "feature"
    /// `TxnOffsetCommit`, and the first version of it that carries the group's generation.
    private static let needed: (api: String, version: Int) = ("ApiKey TxnOffsetCommit (28) Versions ", 3)

    /// The oldest broker's newest version of `TxnOffsetCommit`; nil before one was heard of.
    private(set) var offsetsInTransactions: Int?

    /// Takes a line of the log: `…  ApiKey TxnOffsetCommit (28) Versions 0..3`.
    mutating func note(_ line: String) {
        guard let start = line.firstRange(of: Self.needed.api)?.upperBound,
            let dots = line[start...].firstRange(of: ".."),
            let version = Int(line[dots.upperBound...].prefix { $0.isNumber })
        else { return }
        offsetsInTransactions = min(offsetsInTransactions ?? version, version)
    }

    /// Whether a broker was heard of that does not fence offsets.
    var isTooOld: Bool { offsetsInTransactions.map { $0 < Self.needed.version } ?? false }
}
