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
    let maxLineBytes: Int
    var time = JSONTime()
    var plain: SampleJSONPlainSeries
    var ordered = OrderedSpelling()
    private var scratch: [UInt8] = []

    /// The series that `lookUp` found to be new, and `plain` has read; of use until that object ends.
    var new: (spelling: SampleJSONSpelling, hash: UInt64)?

    init(limits: DecodeLimits) {
        maxLabels = limits.maxLabelsPerSeries
        maxLineBytes = limits.maxLineBytes
        plain = SampleJSONPlainSeries(maxLabels: maxLabels)
    }

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
            isPlain = plain.read(name: name, labels: labels)
        }
        let labels =
            known == nil && !isPlain
            ? try SampleJSONSeries.read(name: fields.name, labels: fields.labels, maxLabels: maxLabels) : nil
        let value = try Self.readValue(fields.value)
        let timestampMs = try context.eventTime(try JSONTime.read(fields.timestamp))
        let id: UInt32
        if let known {
            id = known
            if isNewSpelling, series.hasSpellingRoom, let labels = series.labels(of: id) {
                _ = spelling.withBytes(scratch) { series.insert($0, length: $1, labels: labels) }
            }
        } else {
            let before = series.respellings
            id = spelling.withBytes(scratch) { start, length in
                if let labels { return series.insert(start, length: length, labels: labels) }
                return series.insert(start, length: length, plain: plain.found)
            }
            // Known under another spelling: the producer may write labels in any order.
            if series.respellings != before, ordered.set(fields) {
                ordered.insert(labels ?? plain.found.labels, series)
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
