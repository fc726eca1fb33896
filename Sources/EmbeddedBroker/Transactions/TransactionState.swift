/// A transactional id and where its transaction stands, as the journal has it (Kafka's `TransactionMetadata`).
struct TransactionState: WireStruct, Equatable {
    /// Phases; raw values are in the journal.
    enum Phase: Int8 {
        case empty = 0
        case ongoing = 1
        case prepareCommit = 2
        case prepareAbort = 3
        case completeCommit = 4
        case completeAbort = 5

        /// The name DescribeTransactions gives.
        var name: String {
            switch self {
            case .empty: "Empty"
            case .ongoing: "Ongoing"
            case .prepareCommit: "PrepareCommit"
            case .prepareAbort: "PrepareAbort"
            case .completeCommit: "CompleteCommit"
            case .completeAbort: "CompleteAbort"
            }
        }
    }

    var transactionalId = ""
    var producerId: Int64 = -1
    var epoch: Int16 = -1
    /// The epoch before, with which a producer may repeat an InitProducerId whose answer it missed; -1: none.
    var lastEpoch: Int16 = -1
    /// The producer id before, after the epochs of one were used up; -1: none.
    var lastProducerId: Int64 = -1
    var timeoutMs: Int32 = 0
    private var rawPhase: Int8 = 0
    /// Partitions of the transaction.
    var partitions: [TopicPartition] = []
    /// Groups whose offsets are part of it.
    var groups: [String] = []
    /// When the transaction began, milliseconds since 1970.
    var startMs: Int64 = -1

    init() {}

    /// Where it stands.
    var phase: Phase {
        get { Phase(rawValue: rawPhase) ?? .empty }
        set { rawPhase = newValue.rawValue }
    }

    /// Whether its outcome is decided and its markers are not all written.
    var isDeciding: Bool { phase == .prepareCommit || phase == .prepareAbort }

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&transactionalId)
        try c.field(&producerId)
        try c.field(&epoch)
        try c.field(&lastEpoch)
        try c.field(&lastProducerId)
        try c.field(&timeoutMs)
        try c.field(&rawPhase)
        try c.field(&partitions)
        try c.field(&groups)
        try c.field(&startMs)
    }
}
