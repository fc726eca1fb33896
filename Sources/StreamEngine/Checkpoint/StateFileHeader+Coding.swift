import Platform

// Numbers are unsigned LEB128 ("varint") unless a width is named; those that may be negative are 8 bytes. Texts stand once,
// in a table at the front, and are named by their place in it. docs/checkpoint-format.md has every byte.

/// Writes a header.
struct HeaderEncoder {
    private var body = ByteWriter()
    private var texts: [String] = []
    private var places: [String: Int] = [:]

    /// The header's bytes.
    static func encode(_ header: StateFileHeader) -> [UInt8] {
        var encoder = HeaderEncoder()
        encoder.write(header)
        var out = ByteWriter()
        out.writeVarint(UInt64(encoder.texts.count))
        for text in encoder.texts { out.write(lengthPrefixed: Array(text.utf8)) }
        return out.bytes + encoder.body.bytes
    }

    private mutating func write(_ header: StateFileHeader) {
        let record = header.record
        write(record.token)
        body.write(record.writtenMs)
        write(record.slot)
        write(record.isFromReplay)
        count(record.partitions.count)
        for partition in record.partitions { write(partition) }
        count(record.shared.count)
        // A dictionary has no order; files of the same content are to have the same bytes.
        for (id, token) in record.shared.sorted(by: { "\($0.key)" < "\($1.key)" }) {
            write(id, in: nil)
            write(token)
        }
        count(record.earlierDecisions)
        count(record.decisions.count)
        for decision in record.decisions { write(decision) }
        count(header.sections.count)
        for section in header.sections {
            write(section.partition)
            write(section.parent)
            count(section.blocks.count)
            for block in section.blocks { write(block, in: section.partition) }
        }
        count(header.shared.count)
        for block in header.shared { write(block, in: nil) }
    }

    private mutating func count(_ value: Int) { body.writeVarint(UInt64(max(value, 0))) }
    private mutating func write(_ flag: Bool) { body.write(flag ? 1 : 0 as UInt8) }

    private mutating func write(_ text: String) {
        if let place = places[text] {
            count(place)
        } else {
            count(texts.count)
            places[text] = texts.count
            texts.append(text)
        }
    }

    private mutating func write(_ token: EpochToken) {
        write(token.incarnation)
        count(token.number)
    }

    private mutating func write(_ token: EpochToken?) {
        write(token != nil)
        if let token { write(token) }
    }

    private mutating func write(_ value: Int64?) {
        write(value != nil)
        if let value { body.write(value) }
    }

    private mutating func write(_ partition: PartitionID) {
        write(partition.source)
        write(partition.topic)
        body.write(partition.partition)
    }

    private mutating func write(_ record: PartitionRecord) {
        write(record.partition)
        body.write(record.nextOffset)
        write(record.state)
        write(record.watermarkMs)
        let ledger = record.ledger
        count(ledger.records)
        count(ledger.decoded)
        count(ledger.bad)
        count(ledger.future)
        count(ledger.staleMarkers)
        count(ledger.badByReason.count)
        for (reason, number) in ledger.badByReason.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            write(reason.rawValue)
            count(number)
        }
        count(ledger.lost.count)
        for range in ledger.lost {
            body.write(range.lowerBound)
            body.write(range.upperBound)
        }
    }

    private mutating func write(_ decision: Decision) {
        switch decision.kind {
        case .idle: body.write(0 as UInt8)
        case .active(let watermarkMs):
            body.write(1 as UInt8)
            write(watermarkMs)
        case .clockWatermark(let ms):
            body.write(2 as UInt8)
            body.write(ms)
        case .join(let watermarkMs):
            body.write(3 as UInt8)
            body.write(watermarkMs)
        case .futureTimestamp(let limitMs):
            body.write(4 as UInt8)
            body.write(limitMs)
        case .context(let query, let detector, let windowEndMs, let positions):
            body.write(5 as UInt8)
            write(query)
            write(detector)
            body.write(windowEndMs)
            count(positions.count)
            for (partition, offset) in positions.sorted(by: { ($0.key.source, $0.key) < ($1.key.source, $1.key) }) {
                write(partition)
                body.write(offset)
            }
        case .start(let after):
            body.write(6 as UInt8)
            write(after?.epoch)
            if let after { count(after.decisionCount) }
        }
        write(decision.source)
        write(decision.partition != nil)
        if let partition = decision.partition { write(partition) }
        write(decision.nextOffset)
        count(decision.epoch)
    }

    private mutating func write(_ id: StateID, in partition: PartitionID?) {
        // Of state being written, whose sections are made partition by partition; what is read is checked by `stateID`.
        precondition(id.partition == partition, "\(id) stands in the section of another partition")
        switch id {
        case .task: body.write(0 as UInt8)
        case .windows(let query, _):
            body.write(1 as UInt8)
            write(query)
        case .detectors(let query, _):
            body.write(2 as UInt8)
            write(query)
        case .query(let query):
            body.write(3 as UInt8)
            write(query)
        case .source(let source):
            body.write(4 as UInt8)
            write(source)
        }
    }

    private mutating func write(_ block: BlockEntry, in partition: PartitionID?) {
        write(block.id, in: partition)
        write(block.isWhole)
        body.write(Self.code(block.compression))
        count(block.rows)
        count(block.rawCount)
        count(block.count)
        body.write(block.checksum)
    }

    private static func code(_ compression: Compression) -> UInt8 {
        switch compression {
        case .none: 0
        case .zstd: 1
        case .lz4: 2
        case .gzip: 3
        }
    }
}

/// Reads what `HeaderEncoder` wrote. Makes no room on a count's word alone.
struct HeaderDecoder {
    private var reader: ByteReader
    private var texts: [String] = []

    /// The header that these bytes are.
    static func decode(_ bytes: [UInt8]) throws(DecodingFailure) -> StateFileHeader {
        var decoder = HeaderDecoder(reader: ByteReader(bytes))
        for _ in 0..<(try decoder.count()) {
            decoder.texts.append(String(decoding: try decoder.reader.readLengthPrefixed(), as: UTF8.self))
        }
        let header = try decoder.header()
        guard decoder.reader.isAtEnd else { throw DecodingFailure("\(decoder.reader.remaining) bytes too many") }
        return header
    }

    private init(reader: ByteReader) { self.reader = reader }

    private mutating func header() throws(DecodingFailure) -> StateFileHeader {
        let token = try token()
        let writtenMs = try reader.read(Int64.self)
        let slot = try text()
        var record = EpochRecord(
            token: token, writtenMs: writtenMs, slot: slot, isFromReplay: try flag(), partitions: [], shared: [:],
            decisions: [])
        for _ in 0..<(try count()) { record.partitions.append(try partitionRecord()) }
        for _ in 0..<(try count()) {
            let id = try stateID(in: nil)
            record.shared[id] = try self.token()
        }
        record.earlierDecisions = try count()
        for _ in 0..<(try count()) { record.decisions.append(try decision()) }
        var sections: [SectionEntry] = []
        for _ in 0..<(try count()) {
            let partition = try partition()
            var section = SectionEntry(partition: partition, parent: try optionalToken(), blocks: [])
            for _ in 0..<(try count()) { section.blocks.append(try block(in: partition)) }
            sections.append(section)
        }
        var shared: [BlockEntry] = []
        for _ in 0..<(try count()) { shared.append(try block(in: nil)) }
        return StateFileHeader(record: record, sections: sections, shared: shared)
    }

    /// A number that counts things: never more than Int holds.
    private mutating func count() throws(DecodingFailure) -> Int {
        guard let value = Int(exactly: try reader.readVarint()) else { throw DecodingFailure("a number beyond Int64") }
        return value
    }

    private mutating func flag() throws(DecodingFailure) -> Bool {
        switch try reader.read(UInt8.self) {
        case 0: return false
        case 1: return true
        case let other: throw DecodingFailure("\(other) where 0 or 1 is expected")
        }
    }

    private mutating func text() throws(DecodingFailure) -> String {
        let place = try count()
        guard place < texts.count else { throw DecodingFailure("text \(place) of \(texts.count)") }
        return texts[place]
    }

    private mutating func token() throws(DecodingFailure) -> EpochToken {
        let incarnation = try text()
        guard CheckpointLayout.isIncarnation(incarnation) else {
            throw DecodingFailure("`\(incarnation)` where an incarnation is expected")
        }
        return EpochToken(incarnation: incarnation, number: try count())
    }

    private mutating func optionalToken() throws(DecodingFailure) -> EpochToken? { try flag() ? try token() : nil }
    private mutating func optionalInt64() throws(DecodingFailure) -> Int64? {
        try flag() ? try reader.read(Int64.self) : nil
    }

    private mutating func partition() throws(DecodingFailure) -> PartitionID {
        let source = try text()
        let topic = try text()
        return PartitionID(source: source, topic: topic, partition: try reader.read(Int32.self))
    }

    private mutating func partitionRecord() throws(DecodingFailure) -> PartitionRecord {
        let partition = try partition()
        let nextOffset = try reader.read(Int64.self)
        let state = try token()
        let watermarkMs = try optionalInt64()
        var ledger = PartitionLedger()
        ledger.records = try count()
        ledger.decoded = try count()
        ledger.bad = try count()
        ledger.future = try count()
        ledger.staleMarkers = try count()
        for _ in 0..<(try count()) {
            let name = try text()
            guard let reason = BadRecordReason(rawValue: name) else {
                throw DecodingFailure("`\(name)` where a reason for a bad record is expected")
            }
            ledger.badByReason[reason] = try count()
        }
        for _ in 0..<(try count()) { ledger.lost.append(try reader.readOffsetRange()) }
        return PartitionRecord(
            partition: partition, nextOffset: nextOffset, state: state, watermarkMs: watermarkMs, ledger: ledger)
    }

    private mutating func decision() throws(DecodingFailure) -> Decision {
        let kind: Decision.Kind
        switch try reader.read(UInt8.self) {
        case 0: kind = .idle
        case 1: kind = .active(watermarkMs: try optionalInt64())
        case 2: kind = .clockWatermark(ms: try reader.read(Int64.self))
        case 3: kind = .join(watermarkMs: try reader.read(Int64.self))
        case 4: kind = .futureTimestamp(limitMs: try reader.read(Int64.self))
        case 5: kind = try contextDecision()
        case 6:
            let epoch = try optionalToken()
            let after = try epoch.map { (epoch) throws(DecodingFailure) in
                Decision.Predecessor(epoch: epoch, decisionCount: try count())
            }
            kind = .start(after: after)
        case let other: throw DecodingFailure("\(other) where a kind of decision is expected")
        }
        let source = try text()
        let partition = try flag() ? try partition() : nil
        let nextOffset = try optionalInt64()
        return Decision(
            kind: kind, source: source, partition: partition, nextOffset: nextOffset, epoch: try count())
    }

    private mutating func contextDecision() throws(DecodingFailure) -> Decision.Kind {
        let query = try text()
        let detector = try text()
        let windowEndMs = try reader.read(Int64.self)
        var positions: [PartitionID: Int64] = [:]
        for _ in 0..<(try count()) {
            let id = try partition()
            positions[id] = try reader.read(Int64.self)
        }
        return .context(query: query, detector: detector, windowEndMs: windowEndMs, positions: positions)
    }

    private mutating func stateID(in partition: PartitionID?) throws(DecodingFailure) -> StateID {
        switch (try reader.read(UInt8.self), partition) {
        case (0, .some(let partition)): return .task(partition)
        case (1, .some(let partition)): return .windows(query: try text(), partition)
        case (2, .some(let partition)): return .detectors(query: try text(), partition)
        case (3, nil): return .query(try text())
        case (4, nil): return .source(try text())
        case (let other, _): throw DecodingFailure("\(other) where a kind of state is expected")
        }
    }

    private mutating func block(in partition: PartitionID?) throws(DecodingFailure) -> BlockEntry {
        let id = try stateID(in: partition)
        let isWhole = try flag()
        let compression: Compression
        switch try reader.read(UInt8.self) {
        case 0: compression = .none
        case 1: compression = .zstd
        case 2: compression = .lz4
        case 3: compression = .gzip
        case let other: throw DecodingFailure("\(other) where a compression is expected")
        }
        let rows = try count()
        let rawCount = try count()
        let count = try count()
        return BlockEntry(
            id: id, isWhole: isWhole, compression: compression, rows: rows, rawCount: rawCount, count: count,
            checksum: try reader.read(UInt64.self))
    }
}
