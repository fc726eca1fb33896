/// One durable change of the cluster's state other than records: exactly one field is set.
///
/// Each entry holds the new state of what it names, so replaying a prefix of the journal gives the state at that moment.
struct JournalEntry: WireStruct {
    /// What an entry changes; raw values are in the file.
    enum Kind: Int8 {
        case topic = 1
        case topicDeleted = 2
        case logStart = 3
        case producerIds = 4
        case transaction = 5
        case group = 6
        case groupDeleted = 7
        case offsets = 8
        case pendingOffsets = 9
        case pendingDecided = 10
        case identity = 11
    }

    var kind: Int8 = 0
    var topic = TopicEntry()
    var name = ""
    var logStart = LogStartEntry()
    /// The next producer id to give out.
    var producerId: Int64 = 0
    var transaction = TransactionState()
    var group = GroupEntry()
    var offsets = OffsetsEntry()
    var clusterId = Uuid.zero

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&kind)
        guard let known = Kind(rawValue: kind) else { throw WireError("journal entry of kind \(kind)") }
        switch known {
        case .topic: try topic.code(&c)
        case .topicDeleted, .groupDeleted: try c.field(&name)
        case .logStart: try logStart.code(&c)
        case .producerIds: try c.field(&producerId)
        case .transaction: try transaction.code(&c)
        case .group: try group.code(&c)
        case .offsets, .pendingOffsets, .pendingDecided: try offsets.code(&c)
        case .identity: try c.field(&clusterId)
        }
    }
}

/// A topic as the journal has it.
struct TopicEntry: WireStruct {
    var name = ""
    var id = Uuid.zero
    var partitions: Int32 = 0
    var config: [ConfigValue] = []

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&name)
        try c.field(&id)
        try c.field(&partitions)
        try c.field(&config)
    }
}

/// A configuration name and value.
struct ConfigValue: WireStruct {
    var name = ""
    var value: String?

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&name)
        try c.field(&value)
    }
}

/// What DeleteRecords left of a partition.
struct LogStartEntry: WireStruct {
    var partition = TopicPartition()
    var offset: Int64 = 0

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try partition.code(&c)
        try c.field(&offset)
    }
}

/// The append-only file of `JournalEntry`s; rewritten as one snapshot when it has grown to several times that.
final class Journal {
    private static let fileName = "journal"
    /// Below this the journal is never rewritten, bytes.
    private static let compactionBytes = 8 << 20

    private let storage: LogStorage
    private let gate: WriteGate
    private var file: LogFile
    private var position = 0
    private var snapshotBytes = 0

    /// Opens the journal and reads it, cutting a torn tail. In memory there is nothing to read and nothing is written.
    init(
        _ storage: LogStorage, gate: WriteGate, replay: (JournalEntry) -> Void
    ) throws(StorageError) {
        self.storage = storage
        self.gate = gate
        file = try storage.open(Self.fileName)
        let length = try file.length()
        position = try file.withMapped(count: length) { bytes in
            var at = 0
            while let (entry, size) = StoredStruct.read(JournalEntry.self, bytes, at: at) {
                replay(entry)
                at += size
            }
            return at
        }
        if position < length { try file.truncate(to: position) }
        snapshotBytes = position
    }

    /// Makes a change durable; or it has not happened.
    func append(_ kind: JournalEntry.Kind, _ fill: (inout JournalEntry) -> Void) throws(StorageError) {
        guard case .directory = storage else { return try gate.pass(file) }
        var entry = JournalEntry()
        entry.kind = kind.rawValue
        fill(&entry)
        let bytes = StoredStruct.bytes(entry)
        position += try file.write(bytes, at: position, through: gate)
    }

    /// Whether it is time for `compact`.
    var wantsCompaction: Bool { position > max(Self.compactionBytes, 4 * snapshotBytes) }

    /// Replaces the journal by a snapshot of the same state.
    func compact(_ entries: [JournalEntry]) throws(StorageError) {
        guard case .directory = storage, !gate.isShut else { return }
        var bytes: [UInt8] = []
        for entry in entries { bytes.append(contentsOf: StoredStruct.bytes(entry)) }
        // The file that was written, not one opened by name: were that refused, entries would go to a file without a name.
        guard let replaced = try storage.replace(Self.fileName, with: bytes, gate: gate) else { return }
        file = replaced
        position = bytes.count
        snapshotBytes = bytes.count
    }
}
