import Glibc
import StreamEngine

/// Where the two text exposition formats differ.
protocol ExpositionDialect {
    /// Reads the timestamp at `at` and moves past it.
    static func scanTimestamp(_ at: inout BytePointer, _ end: BytePointer) -> DecimalTime
    /// OpenMetrics: exemplars may follow, and `# EOF` ends an exposition.
    static var isOpenMetrics: Bool { get }
}

/// Decodes Prometheus text exposition and OpenMetrics, line by line.
///
/// The hot path reads a line in one pass: one comparison with the series that followed last time, two numbers, the
/// line's end. Whatever does not go so smoothly is read again by `decodeLine`, which alone decides what is wrong.
/// Both decode a line to the same sample, whatever was read before.
final class ExpositionDecoder<Dialect: ExpositionDialect>: RecordDecoder {
    private let limits: DecodeLimits
    private let plainLabels = PlainLabels()
    /// The hash of the spelling that `lookUp` found nobody for.
    private var newHash: UInt64 = 0

    init(limits: DecodeLimits) {
        self.limits = limits
    }

    func decode(_ record: RawRecord, latestTimestampMs: Int64, series: SeriesDictionary, into batch: SampleBatch) {
        let context = RecordContext(record: record, latestTimestampMs: latestTimestampMs, limits: limits)
        guard context.begin(in: batch), let base = record.bytes.baseAddress else { return }
        let end = base + record.bytes.count
        var at = base
        var line = 0
        while at < end {
            line &+= 1
            if let next = decodeFast(at, end, line, context, series, batch) {
                at = next
                continue
            }
            let lineEnd = lineFeed(at, end)
            let goesOn = decodeLine(at, lineEnd, line, context, series, batch)
            at = lineEnd + 1
            guard goesOn else { break }
        }
        if record.linesAreRecords { batch.records += line }
    }

    /// Stands for a series that is still to be interned; no index is so large.
    private static var unknown: UInt32 { .max - 1 }

    /// Reads a line of a known series, or of a new one of the usual form; gives the start of the next line, or nil where the
    /// line needs a closer look. Nothing is appended then.
    @inline(__always)
    private func decodeFast(
        _ start: BytePointer, _ end: BytePointer, _ line: Int, _ context: RecordContext, _ series: SeriesDictionary,
        _ batch: SampleBatch
    ) -> BytePointer? {
        guard let (found, length) = series.predict(start, available: end - start) ?? lookUp(start, end, series)
        else { return nil }
        var p = start + length
        skipBlanks(&p, end)
        // Here also when a brace follows: then the blank was within the name of the series.
        guard let value = DecimalNumber.scan(&p, end) else { return nil }
        var timestampMs: Int64
        if p < end, p.pointee == 0x20 || p.pointee == 0x09 {
            skipBlanks(&p, end)
            guard case .milliseconds(let own) = Dialect.scanTimestamp(&p, end) else { return nil }
            timestampMs = own
        } else {
            guard let given = context.record.timestampMs else { return nil }
            timestampMs = given
        }
        let lineEnd = p
        if p < end {
            if p.pointee == 0x0D { p += 1 }
            if p < end {
                guard p.pointee == 0x0A else { return nil }
                p += 1
            }
        }
        guard lineEnd - start <= limits.maxLineBytes, context.accepts(timestampMs) else { return nil }
        // Last, so that a bad line leaves no trace in the dictionary.
        let id =
            found == Self.unknown
            ? series.insert(start, length: length, hash: newHash, plain: plainLabels) : found
        batch.append(
            series: id, timestampMs: timestampMs, value: value, place: UInt32(truncatingIfNeeded: line))
        return p
    }

    /// Finds a known series that does not follow the one before as it did last time. The first `}` is taken to end it:
    /// it may stand within a label, or far away, but then the bytes up to it are no known spelling, and a known
    /// spelling is a whole one. Where nobody knows it and it has the usual form, `plainLabels` is it and the answer `unknown`.
    @inline(never)
    private func lookUp(
        _ start: BytePointer, _ end: BytePointer, _ series: SeriesDictionary
    ) -> (series: UInt32, length: Int)? {
        let limit = min(end, start + 1024)
        var p = start
        while p < limit, p.pointee > 0x20, p.pointee != UInt8(ascii: "{") { p += 1 }
        guard p < limit else { return nil }
        if p.pointee == UInt8(ascii: "{") {
            guard let brace = memchr(p, 0x7D, limit - p) else { return nil }
            p = BytePointer(brace.assumingMemoryBound(to: UInt8.self)) + 1
        }
        guard p > start else { return nil }
        let hash = ByteHash.hash(start, p - start)
        if let id = series.find(start, length: p - start, hash: hash) { return (id, p - start) }
        guard ExpositionSeries.parsePlain(start, end, maxLabels: limits.maxLabelsPerSeries, plainLabels) == p else {
            return nil
        }
        newHash = hash
        return (Self.unknown, p - start)
    }

    /// Reads any line; false when nothing after it belongs to the exposition.
    @inline(never)
    private func decodeLine(
        _ lineStart: BytePointer, _ lineFeed: BytePointer, _ line: Int, _ context: RecordContext,
        _ series: SeriesDictionary, _ batch: SampleBatch
    ) -> Bool {
        var start = lineStart
        var end = lineFeed
        if end > start, end[-1] == 0x0D { end -= 1 }
        let length = end - start
        skipBlanks(&start, end)
        while end > start, end[-1] == 0x20 || end[-1] == 0x09 { end -= 1 }
        guard start < end else { return true }
        if start.pointee == UInt8(ascii: "#") {
            return context.record.linesAreRecords || !Self.isEndMark(start, end)
        }
        do throws(DecodeFault) {
            guard length <= limits.maxLineBytes else {
                throw DecodeFault(.lineTooLong, "\(length) bytes, limits.maxLineBytes is \(limits.maxLineBytes)")
            }
            try decodeSample(start, end, line, context, series, batch)
        } catch {
            let fault =
                error.reason == .lineTooLong || isUTF8(start, end) ? error : DecodeFault(.invalidUTF8, "not UTF-8")
            context.reject(fault, place: line, lineStart, lineFeed, in: batch)
        }
        return true
    }

    /// `# EOF`, alone on its line (OpenMetrics 1.0, "Overall Structure").
    private static func isEndMark(_ start: BytePointer, _ end: BytePointer) -> Bool {
        guard Dialect.isOpenMetrics, end - start == 5 else { return false }
        return start[1] == 0x20 && start[2] == UInt8(ascii: "E") && start[3] == UInt8(ascii: "O")
            && start[4] == UInt8(ascii: "F")
    }

    /// A line that is neither blank nor a comment, without blanks around it. The series is interned last, so that a
    /// bad line leaves no trace in the dictionary.
    private func decodeSample(
        _ start: BytePointer, _ end: BytePointer, _ line: Int, _ context: RecordContext, _ series: SeriesDictionary,
        _ batch: SampleBatch
    ) throws(DecodeFault) {
        var known: UInt32?
        var labels: SeriesLabels?
        var p = start
        if let length = ExpositionSeries.extent(start, end), let id = series.find(start, length: length) {
            known = id
            p += length
        } else {
            let maxLabels = limits.maxLabelsPerSeries
            if let next = ExpositionSeries.parsePlain(start, end, maxLabels: maxLabels, plainLabels) {
                p = next
            } else {
                (labels, p) = try ExpositionSeries.parse(start, end, maxLabels: maxLabels)
            }
        }
        let seriesEnd = p
        skipBlanks(&p, end)
        guard p < end else { throw DecodeFault(.malformed, "no value") }
        let valueStart = p
        guard let value = DecimalNumber.scan(&p, end), Self.isBlankOrEnd(p, end) else {
            throw DecodeFault(.badValue, "\(Self.token(valueStart, end)) is not a number")
        }
        var timestampMs: Int64?
        skipBlanks(&p, end)
        if p < end, !(Dialect.isOpenMetrics && p.pointee == UInt8(ascii: "#")) {
            let timeStart = p
            let time = Dialect.scanTimestamp(&p, end)
            guard time != .malformed, Self.isBlankOrEnd(p, end) else {
                throw DecodeFault(.badTimestamp, "\(Self.token(timeStart, end)) is not a timestamp")
            }
            guard case .milliseconds(let own) = time else {
                throw DecodeFault(.timestampOutOfRange, "timestamp \(Self.token(timeStart, end)) leaves Int64 ms")
            }
            timestampMs = own
            skipBlanks(&p, end)
        }
        if p < end {
            guard Dialect.isOpenMetrics, p.pointee == UInt8(ascii: "#") else {
                throw DecodeFault(.malformed, "text after the timestamp: \(excerpt(p, end))")
            }
            try Self.skipExemplar(p + 1, end)
        }
        let eventTimeMs = try context.eventTime(timestampMs)
        // A known spelling was checked when it was new, and the numbers are ASCII: only an exemplar may hold more.
        if known == nil || Dialect.isOpenMetrics, !isUTF8(start, end) { throw DecodeFault(.invalidUTF8, "not UTF-8") }
        let id: UInt32
        if let known {
            id = known
        } else if let labels {
            id = series.insert(start, length: seriesEnd - start, labels: labels)
        } else {
            id = series.insert(start, length: seriesEnd - start, plain: plainLabels)
        }
        batch.append(series: id, timestampMs: eventTimeMs, value: value, place: UInt32(truncatingIfNeeded: line))
    }

    /// `# {labels} value [timestamp]` after the `#`: read past, but it must be well formed (OpenMetrics 1.0,
    /// "Exemplars").
    private static func skipExemplar(_ start: BytePointer, _ end: BytePointer) throws(DecodeFault) {
        var p = start
        skipBlanks(&p, end)
        guard p < end, p.pointee == UInt8(ascii: "{") else {
            throw DecodeFault(.malformed, "text after the sample: \(excerpt(start - 1, end))")
        }
        do throws(DecodeFault) {
            try ExpositionSeries.skipLabels(&p, end)
        } catch {
            throw DecodeFault(.malformed, "exemplar: \(error.detail)")
        }
        skipBlanks(&p, end)
        guard DecimalNumber.scan(&p, end) != nil, isBlankOrEnd(p, end) else {
            throw DecodeFault(.malformed, "exemplar: its value is not a number")
        }
        skipBlanks(&p, end)
        guard p < end else { return }
        guard DecimalTime.scanReal(&p, end, scale: 3) != .malformed, p == end else {
            throw DecodeFault(.malformed, "exemplar: its timestamp is not a number")
        }
    }

    @inline(__always)
    private static func isBlankOrEnd(_ p: BytePointer, _ end: BytePointer) -> Bool {
        p >= end || p.pointee == 0x20 || p.pointee == 0x09
    }

    /// The bytes up to the next blank, for a message.
    private static func token(_ start: BytePointer, _ end: BytePointer) -> String {
        var p = start
        while !isBlankOrEnd(p, end) { p += 1 }
        return excerpt(start, p)
    }
}
