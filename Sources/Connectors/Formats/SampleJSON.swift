import Glibc
import StreamEngine

/// Samples as JSON, as the prometheus-kafka-adapter writes them (JOBS.md "Formats").
///
/// Unknown keys are passed over; of a key given twice the last one counts; `null` is as good as no key. Label values
/// are strings; names may be any text that is not empty, as in Prometheus 3.
public struct SampleJSONFormat: Format {
    /// The format; it has no options.
    public init() {}

    public var name: String { "sample-json" }
    public var summary: String { "samples as JSON: an object, an array, or one object a line" }
    public var kind: RecordKind { .samples }

    public func makeDecoder(limits: DecodeLimits) -> any RecordDecoder {
        JSONDecoder(limits: limits, element: SampleJSONElement(limits: limits))
    }
}

/// One sample object.
///
/// Its spelling in the series dictionary is a `SampleJSONSpelling` where name and labels follow each other, as they do in
/// everything that writes this format. Otherwise it is 0x00, the name, 0x00 and the labels, which no JSON text holds.
struct SampleJSONElement: JSONElement {
    struct Fields {
        var name: JSONValue?
        var labels: JSONValue?
        var value: JSONValue?
        var timestamp: JSONValue?
        /// Which members of the object name and labels were.
        var nameMember = -2
        var labelsMember = -2
    }

    private let maxLabels: Int
    private let maxLineBytes: Int
    private var time = JSONTime()
    private var scratch: [UInt8] = []
    private var ordered = OrderedSpelling()
    private let plainLabels = PlainLabels()
    private var plainName = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    private var nameLabel: UnsafeBufferPointer<UInt8>?

    /// The series that `lookUp` found to be new.
    private var new: (spelling: SampleJSONSpelling, hash: UInt64)?

    /// Stands for the series in `new`; no index is so large.
    private static let unknown = UInt32.max - 1

    init(limits: DecodeLimits) {
        maxLabels = limits.maxLabelsPerSeries
        maxLineBytes = limits.maxLineBytes
    }

    // MARK: The usual form

    @inline(__always)
    mutating func decodeFast(
        _ at: inout BytePointer, _ end: BytePointer, _ context: RecordContext, _ series: SeriesDictionary
    ) -> PendingSample? {
        var p = at + 1
        var id: UInt32 = 0
        var timestampMs: Int64 = 0
        var value = 0.0
        // Bits: 1 timestamp, 2 value, 4 name and labels.
        var seen = 0
        while true {
            Self.skipSpaces(&p, end)
            guard let key = SampleJSONKey.scan(&p, end) else { return nil }
            Self.skipSpaces(&p, end)
            guard p < end else { return nil }
            let first = p.pointee
            switch key {
            case .timestamp:
                guard seen & 1 == 0 else { return nil }
                if first == UInt8(ascii: "\"") {
                    p += 1
                    guard let text = time.scanUTC(&p, end) else { return nil }
                    timestampMs = text
                } else {
                    guard let number = Self.scanTime(&p, end) else { return nil }
                    timestampMs = number
                }
                seen |= 1
            case .value:
                guard seen & 2 == 0 else { return nil }
                if first == UInt8(ascii: "\"") {
                    p += 1
                    guard let number = DecimalNumber.scan(&p, end), p < end, p.pointee == UInt8(ascii: "\"") else {
                        return nil
                    }
                    p += 1
                    value = number
                } else {
                    let start = p
                    guard let number = DecimalNumber.scan(&p, end), JSONScanner.isNumber(start, p) else { return nil }
                    value = number
                }
                seen |= 2
            case .name, .labels:
                guard seen & 4 == 0 else { return nil }
                guard first == (key == .name ? UInt8(ascii: "\"") : UInt8(ascii: "{")) else { return nil }
                if let (known, length) = SampleJSONSpelling.predict(p, end, series) {
                    id = known
                    p += length
                } else {
                    guard let found = lookUp(&p, end, startsWithName: key == .name, series) else { return nil }
                    id = found
                }
                seen |= 4
            }
            Self.skipSpaces(&p, end)
            guard p < end else { return nil }
            let byte = p.pointee
            p += 1
            if byte == UInt8(ascii: "}") { break }
            guard byte == UInt8(ascii: ",") else { return nil }
        }
        if seen == 6, let given = context.record.timestampMs {
            timestampMs = given
        } else if seen != 7 {
            return nil
        }
        guard context.accepts(timestampMs) else { return nil }
        if id == Self.unknown {
            guard let inserted = insertNew(at, p, end, series) else { return nil }
            id = inserted
        }
        at = p
        return PendingSample(series: id, timestampMs: timestampMs, value: value)
    }

    @inline(__always)
    private static func skipSpaces(_ at: inout BytePointer, _ end: BytePointer) {
        while at < end, at.pointee == 0x20 { at += 1 }
    }

    /// A whole number of seconds or milliseconds, at most 15 digits, followed by the member's end.
    @inline(__always)
    private static func scanTime(_ at: inout BytePointer, _ end: BytePointer) -> Int64? {
        var p = at
        var value: Int64 = 0
        while p < end, p.pointee &- 48 <= 9 {
            value = value &* 10 &+ Int64(p.pointee &- 48)
            p += 1
        }
        let digits = p - at
        guard digits > 0, digits <= 15, p < end, at.pointee != 48 || digits == 1,
            p.pointee == UInt8(ascii: ",") || p.pointee == UInt8(ascii: "}") || p.pointee == 0x20
        else { return nil }
        at = p
        return value >= JSONTime.millisecondsFrom ? value : value &* 1000
    }

    /// Finds the series at `at` that is not the one foreseen, and moves past it. One of the usual form that no one knows yet
    /// becomes `new`: `unknown` is given, and `insertNew` has the rest to do.
    @inline(never)
    private mutating func lookUp(
        _ at: inout BytePointer, _ end: BytePointer, startsWithName: Bool, _ series: SeriesDictionary
    ) -> UInt32? {
        guard let spelling = SampleJSONSpelling.find(at, end, startsWithName: startsWithName) else { return nil }
        let hash = ByteHash.hash(spelling.start, spelling.length)
        if let known = series.find(spelling.start, length: spelling.length, hash: hash) {
            at = spelling.next
            return known
        }
        // Labels in another order may have it.
        guard !ordered.isInUse, readPlainSeries(at, end, startsWithName: startsWithName) == spelling.next else {
            return nil
        }
        at = spelling.next
        new = (spelling, hash)
        return Self.unknown
    }

    /// Interns the series that `lookUp` found to be new, now that all of its sample was found to be good; nil where something
    /// else follows the object than a line's end.
    @inline(never)
    private mutating func insertNew(
        _ start: BytePointer, _ objectEnd: BytePointer, _ end: BytePointer, _ series: SeriesDictionary
    ) -> UInt32? {
        guard let (spelling, hash) = new, objectEnd - start <= maxLineBytes else { return nil }
        var p = objectEnd
        if p < end, p.pointee == 0x0D { p += 1 }
        guard p == end || p.pointee == 0x0A else { return nil }
        let before = series.respellings
        let id = series.insert(spelling.start, length: spelling.length, hash: hash, plain: plainLabels)
        if series.respellings != before {
            var p = start
            if let fields = try? parse(&p, objectEnd), ordered.set(fields) {
                ordered.insert(plainLabels.labels, series)
            }
        }
        return id
    }

    // MARK: Any form

    mutating func parse(_ at: inout BytePointer, _ end: BytePointer) throws(DecodeFault) -> Fields {
        var fields = Fields()
        var member = 0
        try JSONScanner.members(&at, end) { (key, value) throws(DecodeFault) in
            if JSONScanner.matches(key, "name") {
                fields.name = value
                fields.nameMember = member
            } else if JSONScanner.matches(key, "labels") {
                fields.labels = value
                fields.labelsMember = member
            } else if JSONScanner.matches(key, "value") {
                fields.value = value
            } else if JSONScanner.matches(key, "timestamp") {
                fields.timestamp = value
            }
            member += 1
        }
        if fields.name?.kind == .null { fields.name = nil }
        if fields.labels?.kind == .null { fields.labels = nil }
        return fields
    }

    mutating func accept(
        _ fields: Fields, place: Int, _ context: RecordContext, _ series: SeriesDictionary, _ batch: SampleBatch
    ) throws(DecodeFault) {
        if let name = fields.name, name.kind != .string {
            throw DecodeFault(.badName, "`name` is not a string: \(excerpt(name.start, name.end))")
        }
        if let labels = fields.labels, labels.kind != .object {
            throw DecodeFault(.badLabel, "`labels` is not an object: \(excerpt(labels.start, labels.end))")
        }
        let spelling = setSpelling(fields)
        var known = spelling.withBytes(scratch) { series.find($0, length: $1) }
        var isNewSpelling = false
        if known == nil, ordered.isInUse, ordered.set(fields) {
            known = ordered.find(series)
            isNewSpelling = known != nil
        }
        var isPlain = false
        if known == nil, let name = fields.name, let labels = fields.labels {
            plainLabels.begin()
            var p = name.start
            var q = labels.start
            isPlain = readPlainName(&p, name.end) && readPlainLabels(&q, labels.end) && packPlain()
        }
        let labels = known == nil && !isPlain ? try readSeries(fields) : nil
        let value = try Self.readValue(fields.value)
        let timestampMs = try context.eventTime(try JSONTime.read(fields.timestamp))
        let id: UInt32
        if known == nil {
            let before = series.respellings
            id = spelling.withBytes(scratch) { start, length in
                if let labels { return series.insert(start, length: length, labels: labels) }
                return series.insert(start, length: length, plain: plainLabels)
            }
            // Known under another spelling: the producer may write labels in any order.
            if series.respellings != before, ordered.set(fields) {
                ordered.insert(labels ?? plainLabels.labels, series)
            }
        } else {
            id = known ?? SampleBatch.overLimit
            if isNewSpelling, series.hasSpellingRoom, let labels = series.labels(of: id) {
                _ = spelling.withBytes(scratch) { series.insert($0, length: $1, labels: labels) }
            }
        }
        batch.append(series: id, timestampMs: timestampMs, value: value, place: UInt32(truncatingIfNeeded: place))
    }

    /// The bytes that stand for a series: in the record itself, or in `scratch`.
    private enum Spelling {
        case inRecord(BytePointer, Int)
        case inScratch

        func withBytes<Result>(_ scratch: [UInt8], _ body: (BytePointer, Int) -> Result) -> Result {
            switch self {
            case .inRecord(let start, let length): return body(start, length)
            case .inScratch:
                return scratch.withUnsafeBufferPointer { buffer in
                    // Never empty: it holds at least the two zero bytes.
                    guard let base = buffer.baseAddress else { preconditionFailure("an empty spelling") }
                    return body(base, buffer.count)
                }
            }
        }
    }

    private mutating func setSpelling(_ fields: Fields) -> Spelling {
        if let name = fields.name, let labels = fields.labels, abs(fields.nameMember - fields.labelsMember) == 1 {
            var start = min(name.start, labels.start)
            let end = max(name.end, labels.end)
            if name.start < labels.start { start += SampleJSONSpelling.leftOut(start, nameEnd: name.end, end) }
            // One over several lines must not be found where lines are records.
            if lineFeed(start, end) == end { return .inRecord(start, end - start) }
        }
        scratch.removeAll(keepingCapacity: true)
        for part in [fields.name, fields.labels] {
            scratch.append(0)
            if let part {
                scratch.append(contentsOf: UnsafeBufferPointer(start: part.start, count: part.end - part.start))
            }
        }
        return .inScratch
    }

    /// Reads the usual form: a name, and labels, of ASCII without escapes; gives what comes after, nil where it is another form,
    /// or anything is wrong with it. `plainLabels` is then the series that `readSeries` gives.
    @inline(__always)
    private mutating func readPlainSeries(
        _ start: BytePointer, _ end: BytePointer, startsWithName: Bool
    ) -> BytePointer? {
        var p = start
        plainLabels.begin()
        guard startsWithName ? readPlainName(&p, end) : readPlainLabels(&p, end) else { return nil }
        Self.skipSpaces(&p, end)
        guard p < end, p.pointee == UInt8(ascii: ",") else { return nil }
        p += 1
        Self.skipSpaces(&p, end)
        guard SampleJSONKey.scan(&p, end) == (startsWithName ? .labels : .name) else { return nil }
        Self.skipSpaces(&p, end)
        guard startsWithName ? readPlainLabels(&p, end) : readPlainName(&p, end), packPlain() else { return nil }
        return p
    }

    @inline(__always)
    private mutating func readPlainName(_ at: inout BytePointer, _ end: BytePointer) -> Bool {
        guard let name = PlainText.scan(&at, end) else { return false }
        plainName = name
        return true
    }

    @inline(__always)
    private mutating func readPlainLabels(_ at: inout BytePointer, _ end: BytePointer) -> Bool {
        guard at < end, at.pointee == UInt8(ascii: "{") else { return false }
        var p = at + 1
        nameLabel = nil
        Self.skipSpaces(&p, end)
        guard p < end else { return false }
        if p.pointee == UInt8(ascii: "}") {
            at = p + 1
            return true
        }
        while true {
            guard let label = PlainText.scan(&p, end) else { return false }
            Self.skipSpaces(&p, end)
            guard p < end, p.pointee == UInt8(ascii: ":") else { return false }
            p += 1
            Self.skipSpaces(&p, end)
            guard let value = PlainText.scan(&p, end) else { return false }
            if PlainLabels.isNameLabel(label) {
                guard nameLabel == nil else { return false }
                nameLabel = value
            } else {
                plainLabels.add(label, value)
            }
            Self.skipSpaces(&p, end)
            guard p < end else { return false }
            let byte = p.pointee
            p += 1
            if byte == UInt8(ascii: "}") { break }
            guard byte == UInt8(ascii: ",") else { return false }
            Self.skipSpaces(&p, end)
        }
        at = p
        return true
    }

    /// Packs what was read: false also where the name stands among the labels a second time, as the prometheus-kafka-adapter
    /// writes it, and is another.
    @inline(__always)
    private func packPlain() -> Bool {
        if let nameLabel {
            guard let own = plainName.baseAddress, let other = nameLabel.baseAddress,
                plainName.count == nameLabel.count, ByteHash.equal(own, other, nameLabel.count)
            else { return false }
            // The one that stands in every spelling.
            return plainLabels.pack(name: nameLabel, maxLabels: maxLabels)
        }
        return plainLabels.pack(name: plainName, maxLabels: maxLabels)
    }
    private func readSeries(_ fields: Fields) throws(DecodeFault) -> SeriesLabels {
        var labels: [Label] = []
        var nameLabel: ByteString?
        if let object = fields.labels {
            var p = object.start
            try JSONScanner.members(&p, object.end) { (key, value) throws(DecodeFault) in
                let labelName = key.text
                guard !labelName.isEmpty else { throw DecodeFault(.badLabel, "a label's name is empty") }
                guard value.kind == .string else {
                    throw DecodeFault(
                        .badLabel,
                        "the value of label `\(labelName)` is not a string: \(excerpt(value.start, value.end))")
                }
                if labelName == "__name__" {
                    guard nameLabel == nil else {
                        throw DecodeFault(.duplicateLabel, "label `__name__` stands twice")
                    }
                    nameLabel = value.text
                } else {
                    labels.append(Label(labelName, value.text))
                }
            }
        }
        let ownName = fields.name?.text ?? .empty
        let labelName = nameLabel ?? .empty
        guard ownName.isEmpty || labelName.isEmpty || ownName == labelName else {
            throw DecodeFault(.badName, "`name` is `\(ownName)`, but `labels.__name__` is `\(labelName)`")
        }
        let name = ownName.isEmpty ? labelName : ownName
        guard !name.isEmpty else { throw DecodeFault(.badName, "neither `name` nor `labels.__name__`") }
        try ExpositionSeries.check(labels, maxLabels: maxLabels)
        return SeriesLabels(name: name, labels: labels)
    }

    /// A number, or a string that holds one as Prometheus writes it.
    private static func readValue(_ value: JSONValue?) throws(DecodeFault) -> Double {
        guard let value else { throw DecodeFault(.badValue, "no value") }
        if value.kind == .number {
            var p = value.start
            if let number = DecimalNumber.scan(&p, value.end), p == value.end { return number }
        } else if value.kind == .string, !value.hasEscapes {
            var p = value.start + 1
            if let number = DecimalNumber.scan(&p, value.end - 1), p == value.end - 1 { return number }
        } else if value.kind == .string {
            let number = value.text.bytes.withUnsafeBufferPointer { bytes -> Double? in
                guard var p = bytes.baseAddress else { return nil }
                let end = p + bytes.count
                let number = DecimalNumber.scan(&p, end)
                return p == end ? number : nil
            }
            if let number { return number }
        }
        throw DecodeFault(.badValue, "\(excerpt(value.start, value.end)) is not a number")
    }
}

/// The keys of a sample object.
enum SampleJSONKey {
    case timestamp, value, name, labels

    /// Reads one of the keys, without escapes, and the colon after it.
    @inline(__always)
    static func scan(_ at: inout BytePointer, _ end: BytePointer) -> SampleJSONKey? {
        let p = at
        guard end - p >= 12, p.pointee == UInt8(ascii: "\"") else { return nil }
        let word = UnsafeRawPointer(p + 1).loadUnaligned(as: UInt64.self).littleEndian
        var next: BytePointer
        let key: SampleJSONKey
        // Eight bytes after the quote, as a little-endian number.
        if word == 0x6D61_7473_656D_6974, p[9] == UInt8(ascii: "p"), p[10] == UInt8(ascii: "\"") {
            key = .timestamp
            next = p + 11
        } else if word & 0xFFFF_FFFF_FFFF == 0x2265_756C_6176 {
            key = .value
            next = p + 7
        } else if word & 0xFF_FFFF_FFFF == 0x22_656D_616E {
            key = .name
            next = p + 6
        } else if word & 0xFF_FFFF_FFFF_FFFF == 0x22_736C_6562_616C {
            key = .labels
            next = p + 8
        } else {
            return nil
        }
        while next < end, next.pointee == 0x20 { next += 1 }
        guard next < end, next.pointee == UInt8(ascii: ":") else { return nil }
        at = next + 1
        return key
    }
}
