import StreamEngine

/// DELTA_LENGTH_BYTE_ARRAY (lengths as deltas, then all bytes) and DELTA_BYTE_ARRAY (each text by the length of the
/// prefix it shares with the one before, and its suffix).
final class DeltaTexts: PageValues {
    let encoding: ParquetEncoding
    private var prefixes: DeltaRuns?
    private var lengths: DeltaRuns
    private var bytes: PageBytes
    private var previous: [UInt8] = []

    init(_ bytes: PageBytes, _ encoding: ParquetEncoding) throws(PageFailure) {
        self.encoding = encoding
        var rest = bytes
        if encoding == .deltaByteArray {
            let prefixes = try DeltaRuns(rest)
            rest = try prefixes.afterwards()
            self.prefixes = prefixes
        }
        lengths = try DeltaRuns(rest)
        self.bytes = try lengths.afterwards()
    }

    func texts(_ count: Int) throws(PageFailure) -> TextColumn {
        var values: [ByteString] = []
        values.reserveCapacity(count)
        var total = 0
        for _ in 0..<count {
            let shared = try prefixes?.next() ?? 0
            guard shared >= 0, shared <= previous.count else {
                throw PageFailure("a shared prefix of \(shared) bytes of \(previous.count)")
            }
            let length = try lengths.next()
            guard length >= 0, length <= bytes.count else { throw PageFailure("a text of \(length) bytes") }
            let text = Array(previous[..<Int(shared)]) + (try bytes.take(Int(length)).rest)
            total += text.count
            guard total <= batchTextBytesMax else {
                throw PageFailure("\(count) texts unfold to more than \(batchTextBytesMax) bytes")
            }
            if prefixes != nil { previous = text }
            values.append(ByteString(bytes: text))
        }
        return TextColumn(dictionary: values, codes: Array(0..<Int32(count)))
    }
}
