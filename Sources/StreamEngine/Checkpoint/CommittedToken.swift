/// What stands beside a committed offset: `v1 <epoch token> <state token>` (SEMANTICS §5), and where verdicts wait for events
/// how far they were shown.
public struct CommittedToken: Sendable, Equatable {
    /// The epoch that decided the offset.
    public var epoch: EpochToken
    /// The epoch that wrote the partition's newest state; nil: the partition has none yet.
    public var state: EpochToken?
    /// The newest window that each detector and impact which waits for events has judged, by `QUERY/NAME`. The state says so
    /// too; where it is lost, this tells what of an older one's verdicts were shown already.
    public var shown: [String: Int64] = [:]

    /// The tokens of one partition.
    public init(epoch: EpochToken, state: EpochToken?, shown: [String: Int64] = [:]) {
        self.epoch = epoch
        self.state = state
        self.shown = shown
    }

    /// As it is committed. Brokers take 4 KiB (`offset.metadata.max.bytes`): too long a list is left out.
    public var metadata: String {
        let tokens = "v1 \(epoch) \(state.map(\.description) ?? Self.empty)"
        let list = shown.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
        return list.isEmpty || list.utf8.count > Self.listBytesMax ? tokens : "\(tokens) \(list)"
    }

    private static let empty = "empty"
    private static let listBytesMax = 3500

    /// Reads what `metadata` wrote; nil for anything else.
    public init?(metadata: String) {
        let words = metadata.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3 || words.count == 4, words[0] == "v1", let epoch = EpochToken(text: words[1])
        else { return nil }
        self.epoch = epoch
        for item in words.count == 4 ? words[3].split(separator: ",", omittingEmptySubsequences: false) : [] {
            let pair = item.split(separator: "=", omittingEmptySubsequences: false)
            guard pair.count == 2, let window = Int64(pair[1]) else { return nil }
            shown[String(pair[0])] = window
        }
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
