import Platform
import StreamEngine

/// A sample read by an element's fast path, not yet appended.
struct PendingSample {
    let series: UInt32
    let timestampMs: Int64
    let value: Double
}

/// What one JSON object of a format says.
protocol JSONElement {
    /// The members that matter, found by `parse`.
    associatedtype Fields

    /// Told before a record's objects.
    mutating func begin(_ record: RawRecord)

    /// Reads an object that has the usual form, and moves past it. Gives nil where anything is unusual, and nothing is left
    /// of it then; the same object goes through `parse` and `accept`, which give the same sample. A new series is interned
    /// only where the object ends its line or record.
    mutating func decodeFast(
        _ at: inout BytePointer, _ end: BytePointer, _ context: RecordContext, _ series: SeriesDictionary
    ) -> PendingSample?

    /// Reads any object for its grammar and moves past it.
    mutating func parse(_ at: inout BytePointer, _ end: BytePointer) throws(DecodeFault) -> Fields

    /// Appends what a well formed object says, or tells why it cannot be used. A bad one leaves no trace in `series`.
    mutating func accept(
        _ fields: Fields, place: Int, _ context: RecordContext, _ series: SeriesDictionary, _ batch: SampleBatch
    ) throws(DecodeFault)

    /// Writes what later objects' meaning depends on, for a checkpoint.
    func encodeState(to writer: inout ByteWriter)
    /// Reads back what `encodeState` wrote.
    mutating func decodeState(from reader: inout ByteReader) throws(DecodingFailure)
}

extension JSONElement {
    mutating func begin(_ record: RawRecord) {}
    func encodeState(to writer: inout ByteWriter) {}
    mutating func decodeState(from reader: inout ByteReader) throws(DecodingFailure) {}

    @inline(__always)
    mutating func decodeFast(
        _ at: inout BytePointer, _ end: BytePointer, _ context: RecordContext, _ series: SeriesDictionary
    ) -> PendingSample? { nil }
}

/// Decodes JSON: an object, an array of objects, or one of either a line; in a message also one value over several
/// lines.
///
/// The place of a sample is its line, or its element where the whole message is one array. A bad line loses that
/// line, a bad element that element; where an array itself is broken, what came before stands and the rest is one bad
/// record.
final class JSONDecoder<Element: JSONElement>: RecordDecoder {
    private let limits: DecodeLimits
    private var element: Element

    init(limits: DecodeLimits, element: Element) {
        self.limits = limits
        self.element = element
    }

    func encodeState(to writer: inout ByteWriter) { element.encodeState(to: &writer) }
    func decodeState(from reader: inout ByteReader) throws(DecodingFailure) { try element.decodeState(from: &reader) }

    func decode(_ record: RawRecord, latestTimestampMs: Int64, series: SeriesDictionary, into batch: SampleBatch) {
        let context = RecordContext(record: record, latestTimestampMs: latestTimestampMs, limits: limits)
        guard context.begin(in: batch), let base = record.bytes.baseAddress else { return }
        let end = base + record.bytes.count
        element.begin(record)
        if record.linesAreRecords {
            batch.records += decodeLines(base, end, context, series, batch)
            return
        }
        var start = base
        JSONScanner.skipSpace(&start, end)
        var stop = end
        while stop > start, JSONScanner.isSpace(stop[-1]) { stop -= 1 }
        guard start < stop else { return }
        if !Self.isOneValue(start, stop) {
            _ = decodeLines(base, end, context, series, batch)
        } else if start.pointee == UInt8(ascii: "[") {
            decodeArray(start, stop, place: nil, context, series, batch)
        } else {
            var p = start
            if p.pointee == UInt8(ascii: "{"), let pending = element.decodeFast(&p, stop, context, series), p == stop,
                stop - start <= limits.maxLineBytes
            {
                batch.append(series: pending.series, timestampMs: pending.timestampMs, value: pending.value, place: 1)
            } else {
                decodeSingle(start, stop, place: 1, raw: start, stop, context, series, batch)
            }
        }
    }

    /// Whether a message without space around it is one value rather than one a line: it has one line, or its first
    /// bracket closes at its very end.
    private static func isOneValue(_ start: BytePointer, _ end: BytePointer) -> Bool {
        if lineFeed(start, end) == end { return true }
        guard start.pointee == UInt8(ascii: "{") || start.pointee == UInt8(ascii: "[") else { return false }
        return JSONScanner.bracketEnd(start, end) == end
    }

    /// One value a line; gives the number of lines.
    private func decodeLines(
        _ base: BytePointer, _ end: BytePointer, _ context: RecordContext, _ series: SeriesDictionary,
        _ batch: SampleBatch
    ) -> Int {
        var at = base
        var line = 0
        while at < end {
            line &+= 1
            var p = at
            if p.pointee == UInt8(ascii: "{"), let pending = element.decodeFast(&p, end, context, series) {
                let objectEnd = p
                skipBlanks(&p, end)
                if p < end, p.pointee == 0x0D { p += 1 }
                if p >= end || p.pointee == 0x0A, objectEnd - at <= limits.maxLineBytes {
                    batch.append(
                        series: pending.series, timestampMs: pending.timestampMs, value: pending.value,
                        place: UInt32(truncatingIfNeeded: line))
                    at = p + 1
                    continue
                }
            }
            let lineEnd = lineFeed(at, end)
            var start = at
            JSONScanner.skipSpace(&start, lineEnd)
            var stop = lineEnd
            while stop > start, JSONScanner.isSpace(stop[-1]) { stop -= 1 }
            if start < stop {
                if start.pointee == UInt8(ascii: "[") {
                    decodeArray(start, stop, place: line, context, series, batch)
                } else {
                    decodeSingle(start, stop, place: line, raw: at, lineEnd, context, series, batch)
                }
            }
            at = lineEnd + 1
        }
        return line
    }

    /// One object that fills [start, end).
    private func decodeSingle(
        _ start: BytePointer, _ end: BytePointer, place: Int, raw rawStart: BytePointer, _ rawEnd: BytePointer,
        _ context: RecordContext, _ series: SeriesDictionary, _ batch: SampleBatch
    ) {
        do throws(DecodeFault) {
            try checkLength(start, end)
            var p = start
            let fields = try element.parse(&p, end)
            JSONScanner.skipSpace(&p, end)
            guard p == end else { throw DecodeFault(.malformed, "text after the JSON object: \(excerpt(p, end))") }
            guard isUTF8(start, end) else { throw DecodeFault(.invalidUTF8, "not UTF-8") }
            try element.accept(fields, place: place, context, series, batch)
        } catch {
            context.reject(Self.weighed(error, start, end), place: place, rawStart, rawEnd, in: batch)
        }
    }

    /// An array that begins at `start` and should fill [start, end). Its elements share `place`; nil counts them.
    private func decodeArray(
        _ start: BytePointer, _ end: BytePointer, place fixedPlace: Int?, _ context: RecordContext,
        _ series: SeriesDictionary, _ batch: SampleBatch
    ) {
        var at = start + 1
        var count = 0
        var place: Int { fixedPlace ?? count }
        /// What is left when the array itself is broken: one bad record.
        func rejectRest(_ from: BytePointer, _ detail: String) {
            count += 1
            context.reject(
                Self.weighed(DecodeFault(.malformed, detail), from, end), place: place, from < end ? from : start, end,
                in: batch)
        }
        JSONScanner.skipSpace(&at, end)
        if at < end, at.pointee == UInt8(ascii: "]") {
            at += 1
        } else {
            while true {
                JSONScanner.skipSpace(&at, end)
                guard at < end else { return rejectRest(at, "the JSON array is not closed") }
                count += 1
                var p = at
                if p.pointee == UInt8(ascii: "{"), let pending = element.decodeFast(&p, end, context, series),
                    p - at <= limits.maxLineBytes
                {
                    batch.append(
                        series: pending.series, timestampMs: pending.timestampMs, value: pending.value,
                        place: UInt32(truncatingIfNeeded: place))
                    at = p
                } else {
                    guard let next = decodeElement(at, end, place: place, context, series, batch) else {
                        count -= 1
                        return rejectRest(at, "a broken element, and no end of it")
                    }
                    at = next
                }
                JSONScanner.skipSpace(&at, end)
                guard at < end else { return rejectRest(at, "the JSON array is not closed") }
                let byte = at.pointee
                if byte == UInt8(ascii: "]") {
                    at += 1
                    break
                }
                guard byte == UInt8(ascii: ",") else {
                    return rejectRest(at, "`,` or `]` is missing at \(excerpt(at, end))")
                }
                at += 1
            }
        }
        JSONScanner.skipSpace(&at, end)
        if at < end { rejectRest(at, "text after the JSON array: \(excerpt(at, end))") }
    }

    /// One element of an array; gives where it ends, nil where no end can be found (nothing is then counted).
    private func decodeElement(
        _ start: BytePointer, _ end: BytePointer, place: Int, _ context: RecordContext, _ series: SeriesDictionary,
        _ batch: SampleBatch
    ) -> BytePointer? {
        var next = start
        do throws(DecodeFault) {
            var p = start
            let fields: Element.Fields
            do throws(DecodeFault) {
                fields = try element.parse(&p, end)
            } catch {
                guard let found = JSONScanner.tolerantEnd(start, end) else { return nil }
                next = found
                try checkLength(start, next)
                throw error
            }
            next = p
            try checkLength(start, next)
            guard isUTF8(start, next) else { throw DecodeFault(.invalidUTF8, "not UTF-8") }
            try element.accept(fields, place: place, context, series, batch)
        } catch {
            // An element of no bytes, as between two commas, is shown with what stands around it.
            let isEmpty = next == start
            context.reject(
                Self.weighed(error, start, next), place: place, isEmpty ? start - 1 : start,
                isEmpty ? min(start + 1, end) : next, in: batch)
        }
        return next
    }

    private func checkLength(_ start: BytePointer, _ end: BytePointer) throws(DecodeFault) {
        guard end - start <= limits.maxLineBytes else {
            throw DecodeFault(.lineTooLong, "\(end - start) bytes, limits.maxLineBytes is \(limits.maxLineBytes)")
        }
    }

    /// Bytes that are not UTF-8 outweigh every other fault but length.
    private static func weighed(_ fault: DecodeFault, _ start: BytePointer, _ end: BytePointer) -> DecodeFault {
        fault.reason == .lineTooLong || start >= end || isUTF8(start, end)
            ? fault : DecodeFault(.invalidUTF8, "not UTF-8")
    }
}
