import StreamEngine

/// The hot path: one object of the usual form in one pass.
extension SampleJSONElement {
    /// Stands for the series in `new`; no index is so large.
    private static let unknown = UInt32.max - 1

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
            SampleJSONKey.skipSpaces(&p, end)
            guard let key = SampleJSONKey.scan(&p, end) else { return nil }
            SampleJSONKey.skipSpaces(&p, end)
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
            SampleJSONKey.skipSpaces(&p, end)
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
        guard !ordered.isInUse, plain.read(at, end, startsWithName: startsWithName) == spelling.next else {
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
        let id = series.insert(spelling.start, length: spelling.length, hash: hash, plain: plain.found)
        if series.respellings != before {
            var p = start
            if let fields = try? parse(&p, objectEnd), ordered.set(fields) {
                ordered.insert(plain.found.labels, series)
            }
        }
        return id
    }
}
