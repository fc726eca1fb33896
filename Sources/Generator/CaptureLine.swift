import StreamEngine

/// A line of a capture, taken apart just far enough to give it another time and to know where it belongs.
public struct CaptureLine: Sendable, Equatable {
    /// Where the timestamp stands in the line; nil: it has none (a comment, or a time to be the record's own).
    public let timestamp: Range<Int>?
    /// ms; nil where there is none or it cannot be read.
    public let timestampMs: Int64?
    /// What decides on the partition: the value of the label `instance`, else the series.
    public let key: Range<Int>

    /// Takes a line apart, without its line end. Nothing fails: a line that is not understood has no timestamp.
    public init(_ line: UnsafeBufferPointer<UInt8>, _ format: WorkloadFormat) {
        switch format {
        case .prometheus, .openmetrics:
            let seriesEnd = Self.seriesEnd(line)
            key = Self.instance(line, seriesEnd, "instance=\"") ?? 0..<seriesEnd
            guard line.first != UInt8(ascii: "#") else {
                timestamp = nil
                timestampMs = nil
                return
            }
            let value = Self.token(line, from: seriesEnd)
            let time = Self.token(line, from: value.upperBound)
            timestamp = time.isEmpty ? nil : time
            timestampMs = time.isEmpty ? nil : Self.number(line, time, scale: format == .openmetrics ? 1000 : 1)
        case .sampleJSON:
            key = Self.instance(line, line.count, "\"instance\":\"") ?? 0..<line.count
            timestamp = Self.instance(line, line.count, "\"timestamp\":\"")
            timestampMs = timestamp.flatMap { EventTime.parseRFC3339(UnsafeBufferPointer(rebasing: line[$0])) }
        }
    }

    /// Where name and labels end: the first blank outside braces and quotes.
    private static func seriesEnd(_ line: UnsafeBufferPointer<UInt8>) -> Int {
        var inQuotes = false
        var depth = 0
        var at = 0
        while at < line.count {
            switch line[at] {
            case UInt8(ascii: "\\") where inQuotes: at += 1
            case UInt8(ascii: "\""): inQuotes.toggle()
            case UInt8(ascii: "{") where !inQuotes: depth += 1
            case UInt8(ascii: "}") where !inQuotes: depth -= 1
            case 0x20, 0x09: if !inQuotes, depth == 0 { return at }
            default: break
            }
            at += 1
        }
        return line.count
    }

    private static func token(_ line: UnsafeBufferPointer<UInt8>, from start: Int) -> Range<Int> {
        var low = min(start, line.count)
        while low < line.count, line[low] == 0x20 || line[low] == 0x09 { low += 1 }
        var high = low
        while high < line.count, line[high] != 0x20, line[high] != 0x09, line[high] != 0x0D { high += 1 }
        return low..<high
    }

    /// A decimal times `scale`, floored; nil when it is no plain decimal.
    private static func number(_ line: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, scale: Double) -> Int64? {
        let text = String(decoding: UnsafeBufferPointer(rebasing: line[range]), as: UTF8.self)
        if scale == 1 { return Int64(text) }
        guard let value = Double(text), (value * scale).magnitude < 9e15 else { return nil }
        return Int64((value * scale).rounded())
    }

    /// The text between `lead` and the next quote.
    private static func instance(
        _ line: UnsafeBufferPointer<UInt8>, _ end: Int, _ lead: StaticString
    ) -> Range<Int>? {
        let count = lead.utf8CodeUnitCount
        guard end >= count else { return nil }
        for start in 0...(end - count) {
            var same = 0
            while same < count, line[start + same] == lead.utf8Start[same] { same += 1 }
            guard same == count else { continue }
            var high = start + count
            while high < end, line[high] != UInt8(ascii: "\"") { high += 1 }
            return (start + count)..<high
        }
        return nil
    }

    /// A hash of the key (FNV-1a), the same everywhere.
    public func keyHash(in line: UnsafeBufferPointer<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in key { hash = (hash ^ UInt64(line[index])) &* 0x100_0000_01B3 }
        return hash
    }

    /// Appends the line with another time.
    public func append(
        _ line: UnsafeBufferPointer<UInt8>, at newMs: Int64, _ format: WorkloadFormat, to out: inout [UInt8]
    ) {
        guard let timestamp else {
            out.append(contentsOf: line)
            return
        }
        out.append(contentsOf: UnsafeBufferPointer(rebasing: line[..<timestamp.lowerBound]))
        switch format {
        case .prometheus: out += String(newMs).utf8
        case .openmetrics: SampleText.appendThousandths(newMs, to: &out)
        case .sampleJSON: EventTime.appendRFC3339(newMs, to: &out)
        }
        out.append(contentsOf: UnsafeBufferPointer(rebasing: line[timestamp.upperBound...]))
    }
}
