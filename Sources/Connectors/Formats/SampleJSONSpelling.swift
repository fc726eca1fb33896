import Glibc
import StreamEngine

/// Where the bytes stand that name a series in a sample object: from the name's value to the end of the labels, or from
/// the labels' to the end of the name. It ends by itself.
///
/// The prometheus-kafka-adapter writes the name twice: `"up","labels":{"__name__":"up","job":"api"}`. Then the spelling
/// begins with the second: `up","job":"api"}`. What stands before it follows from it, and no other spelling begins with a
/// letter.
struct SampleJSONSpelling {
    let start: BytePointer
    let length: Int
    /// What comes after name and labels.
    let next: BytePointer

    /// Bytes that the name may have where it is left out: no more than `ForeseenSpelling` tells the length of.
    private static let longestName = 127
    /// Bytes of `,"labels":{"__name__":"` between the first name's quote and the second name.
    private static let separator = 23

    /// Finds one that is not the one foreseen. Good enough for a look-up: the first `}` is taken to end the labels; where it does
    /// not, the bytes are no known spelling, for a known one is whole.
    @inline(__always)
    static func find(_ start: BytePointer, _ end: BytePointer, startsWithName: Bool) -> SampleJSONSpelling? {
        var p = start
        guard startsWithName ? skipString(&p, end) : skipToBrace(&p, end) else { return nil }
        let firstEnd = p
        SampleJSONKey.skipSpaces(&p, end)
        guard p < end, p.pointee == UInt8(ascii: ",") else { return nil }
        p += 1
        SampleJSONKey.skipSpaces(&p, end)
        guard SampleJSONKey.scan(&p, end) == (startsWithName ? .labels : .name) else { return nil }
        SampleJSONKey.skipSpaces(&p, end)
        guard p < end, p.pointee == (startsWithName ? UInt8(ascii: "{") : UInt8(ascii: "\"")),
            startsWithName ? skipToBrace(&p, end) : skipString(&p, end)
        else { return nil }
        let left = startsWithName ? leftOut(start, nameEnd: firstEnd, p) : 0
        return SampleJSONSpelling(start: start + left, length: p - start - left, next: p)
    }

    /// How many bytes of a spelling that begins with the name follow from its labels.
    @inline(__always)
    static func leftOut(_ start: BytePointer, nameEnd: BytePointer, _ end: BytePointer) -> Int {
        let quoted = nameEnd - start
        guard quoted > 2, quoted <= longestName + 2, isLetter(start[1]), end - nameEnd > separator + quoted,
            isSeparator(nameEnd), ByteHash.equal(nameEnd + separator, start + 1, quoted - 1)
        else { return 0 }
        return quoted + separator
    }

    /// Whether the series foreseen comes: its id and how many bytes name it.
    @inline(__always)
    static func predict(
        _ start: BytePointer, _ end: BytePointer, _ series: SeriesDictionary
    ) -> (series: UInt32, length: Int)? {
        guard let foreseen = series.foreseenSpelling else { return nil }
        guard start.pointee == UInt8(ascii: "\""), isLetter(foreseen.start.pointee) else {
            return series.predictSelfDelimited(start, available: end - start)
        }
        let quoted = foreseen.nameLength + 2
        let left = quoted + separator
        // The quote behind the name too: an escaped name has a text that is shorter.
        guard foreseen.nameStart == 0, foreseen.nameLength > 0, foreseen.length > foreseen.nameLength,
            foreseen.start[foreseen.nameLength] == UInt8(ascii: "\""), end - start >= left + foreseen.length,
            ByteHash.equal(foreseen.start, start + left, foreseen.length), isSeparator(start + quoted),
            ByteHash.equal(foreseen.start, start + 1, quoted - 1)
        else { return nil }
        return (series.takeForeseen(), left + foreseen.length)
    }

    /// Whether `,"labels":{"__name__":"` stands there.
    @inline(__always)
    private static func isSeparator(_ at: BytePointer) -> Bool {
        let raw = UnsafeRawPointer(at)
        // `,"labels`, `":{"__na` and `ame__":"`.
        return raw.loadUnaligned(as: UInt64.self).littleEndian == 0x736C_6562_616C_222C
            && raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self).littleEndian == 0x616E_5F5F_227B_3A22
            && raw.loadUnaligned(fromByteOffset: 15, as: UInt64.self).littleEndian == 0x223A_225F_5F65_6D61
    }

    @inline(__always)
    private static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- UInt8(ascii: "a") < 26 }

    @inline(__always)
    private static func skipString(_ at: inout BytePointer, _ end: BytePointer) -> Bool {
        var p = at + 1
        while p < end, p.pointee != UInt8(ascii: "\"") {
            if p.pointee < 0x20 { return false }
            p += p.pointee == UInt8(ascii: "\\") ? 2 : 1
        }
        guard p < end else { return false }
        at = p + 1
        return true
    }

    @inline(__always)
    private static func skipToBrace(_ at: inout BytePointer, _ end: BytePointer) -> Bool {
        guard let brace = memchr(at, 0x7D, min(end - at, 8192)) else { return false }
        at = BytePointer(brace.assumingMemoryBound(to: UInt8.self)) + 1
        return true
    }
}
