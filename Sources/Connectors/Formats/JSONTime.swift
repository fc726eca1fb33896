import StreamEngine

/// Points in time as our JSON formats write them: RFC 3339 text, or a number (SEMANTICS §8).
struct JSONTime {
    /// Numbers of at least this magnitude are milliseconds, smaller ones seconds.
    static let millisecondsFrom: Int64 = 100_000_000_000

    /// The ten bytes of the date read last, as they stand in memory, and its midnight: dates repeat, their arithmetic need
    /// not. At first 1970-01-01, for zeros would take ten zero bytes for a date.
    private var dateHead = UInt64(littleEndian: 0x2D31_302D_3037_3931)
    private var dateTail = UInt16(littleEndian: 0x3130)
    private var midnightMs: Int64 = 0

    /// The time of a value; nil for `null` and where there is none.
    static func read(_ value: JSONValue?) throws(DecodeFault) -> Int64? {
        guard let value, value.kind != .null else { return nil }
        switch value.kind {
        case .string:
            let text = value.text
            guard let timestampMs = text.bytes.withUnsafeBufferPointer({ EventTime.parseRFC3339($0) }) else {
                throw DecodeFault(.badTimestamp, "\(excerpt(value.start, value.end)) is not an RFC 3339 date and time")
            }
            return timestampMs
        case .number:
            switch number(value.start, value.end) {
            case .milliseconds(let timestampMs): return timestampMs
            case .outOfRange:
                throw DecodeFault(
                    .timestampOutOfRange, "timestamp \(excerpt(value.start, value.end)) leaves Int64 ms")
            case .malformed: break
            }
        case .object, .array, .boolean, .null: break
        }
        throw DecodeFault(.badTimestamp, "\(excerpt(value.start, value.end)) is not a timestamp")
    }

    /// Seconds or milliseconds by magnitude, exact, floored to milliseconds.
    static func number(_ start: BytePointer, _ end: BytePointer) -> DecimalTime {
        var p = start
        if p < end, p.pointee == UInt8(ascii: "-") { p += 1 }
        var q = p
        let isMilliseconds: Bool
        switch DecimalTime.scanReal(&q, end, scale: 0) {
        case .milliseconds(let whole): isMilliseconds = whole >= millisecondsFrom
        case .outOfRange: return .outOfRange
        case .malformed: return .malformed
        }
        q = start
        return DecimalTime.scanReal(&q, end, scale: isMilliseconds ? 0 : 3)
    }

    /// Reads `2026-01-01T00:00:00Z"`, with or without a fraction, and moves past the quote; nil for any other form.
    @inline(__always)
    mutating func scanUTC(_ at: inout BytePointer, _ end: BytePointer) -> Int64? {
        let p = at
        guard end - p >= 21 else { return nil }
        let raw = UnsafeRawPointer(p)
        if raw.loadUnaligned(as: UInt64.self) != dateHead
            || raw.loadUnaligned(fromByteOffset: 8, as: UInt16.self) != dateTail
        {
            guard learnDate(p) else { return nil }
        }
        func pair(_ offset: Int) -> UInt8 {
            let tens = p[offset] &- 48
            let ones = p[offset + 1] &- 48
            return tens > 9 || ones > 9 ? 255 : tens &* 10 &+ ones
        }
        let hour = pair(11)
        let minute = pair(14)
        let second = pair(17)
        guard p[10] == UInt8(ascii: "T"), p[13] == UInt8(ascii: ":"), p[16] == UInt8(ascii: ":"), hour < 24,
            minute < 60, second < 60
        else { return nil }
        var timestampMs =
            midnightMs &+ Int64(hour) &* 3_600_000 &+ Int64(minute) &* 60_000 &+ Int64(second) &* 1000
        var q = p + 19
        if q.pointee == UInt8(ascii: ".") {
            q += 1
            var scale: Int64 = 100
            let fraction = q
            while q < end, q.pointee &- 48 <= 9 {
                timestampMs &+= Int64(q.pointee &- 48) &* scale
                scale = scale == 100 ? 10 : scale == 10 ? 1 : 0
                q += 1
            }
            guard q > fraction else { return nil }
        }
        guard end - q >= 2, q[0] == UInt8(ascii: "Z"), q[1] == UInt8(ascii: "\"") else { return nil }
        at = q + 2
        return timestampMs
    }

    @inline(never)
    private mutating func learnDate(_ p: BytePointer) -> Bool {
        var text = Array(UnsafeBufferPointer(start: p, count: 10))
        text.append(contentsOf: Array("T00:00:00Z".utf8))
        guard let midnight = text.withUnsafeBufferPointer({ EventTime.parseRFC3339($0) }) else { return false }
        midnightMs = midnight
        dateHead = UnsafeRawPointer(p).loadUnaligned(as: UInt64.self)
        dateTail = UnsafeRawPointer(p).loadUnaligned(fromByteOffset: 8, as: UInt16.self)
        return true
    }
}
