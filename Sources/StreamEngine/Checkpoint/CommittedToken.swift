/// What stands beside a committed offset: `v1 <epoch token> <state token>` (SEMANTICS §5).
public struct CommittedToken: Sendable, Equatable {
    /// The epoch that decided the offset.
    public var epoch: EpochToken
    /// The epoch that wrote the partition's newest state; nil: the partition has none yet.
    public var state: EpochToken?

    /// The tokens of one partition.
    public init(epoch: EpochToken, state: EpochToken?) {
        self.epoch = epoch
        self.state = state
    }

    /// As it is committed.
    public var metadata: String { "v1 \(epoch) \(state.map(\.description) ?? Self.empty)" }

    private static let empty = "empty"

    /// Reads what `metadata` wrote; nil for anything else.
    public init?(metadata: String) {
        let words = metadata.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, words[0] == "v1", let epoch = EpochToken(text: words[1]) else { return nil }
        self.epoch = epoch
        if words[2] == Self.empty { return }
        guard let state = EpochToken(text: words[2]) else { return nil }
        self.state = state
    }
}

extension EpochToken {
    /// Reads `<32 hexadecimal digits>.<n>`; nil for anything else.
    public init?(text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].utf8.count == 32,
            parts[0].utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }),
            parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(parts[1])
        else { return nil }
        self.init(incarnation: String(parts[0]), number: number)
    }
}
