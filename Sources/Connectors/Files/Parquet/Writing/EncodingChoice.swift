import Platform
import StreamEngine

/// Chooses the encoding of a column chunk: the one that makes a sample of it smallest, compressed as the file is.
struct EncodingChoice {
    let settings: ParquetSettings
    let compressor: BlockCompressor

    /// Values that are tried.
    private static let sampleCount = 16_384

    func values(_ column: ParquetColumnBuffer) throws(CompressionFailure) -> ParquetValues {
        switch column.type {
        case .boolean: return .plain(column)
        case .text: return text(column)
        case .timestamp, .int64:
            return try words(column, other: .delta(column.integers)) {
                UInt64(bitPattern: column.integers[$0])
            }
        case .double: return try words(column, other: nil) { column.doubles[$0].bitPattern }
        }
    }

    /// Texts know their dictionary already. One that is small, or shorter than half of what it stands for, is used.
    private func text(_ column: ParquetColumnBuffer) -> ParquetValues {
        var bytes = 0
        for code in column.codes { bytes += column.texts[Int(code)].count + 4 }
        let bitWidth = HybridEncoder.bitWidth(UInt32(max(column.texts.count, 1) - 1))
        let dictionaryBytes = column.textBytes + column.codes.count * bitWidth / 8
        let isHelpful = dictionaryBytes * 2 < bytes || (column.texts.count <= 4 && dictionaryBytes < bytes)
        if isHelpful {
            var page: [UInt8] = []
            page.reserveCapacity(column.textBytes)
            for text in column.texts { PlainEncoder.append(text, to: &page) }
            return .dictionary(codes: column.codes, page: page, count: column.texts.count)
        }
        var shared = 0
        var previous = ByteString.empty
        for code in column.codes.prefix(Self.sampleCount) {
            let text = column.texts[Int(code)]
            shared += TextEncoder.sharedPrefix(previous, text)
            previous = text
        }
        let sampled = column.codes.prefix(Self.sampleCount).reduce(0) { $0 + column.texts[Int($1)].count }
        return shared * 4 > sampled ? .textSuffixes(column) : .textLengths(column)
    }

    private func words(
        _ column: ParquetColumnBuffer, other: ParquetValues?, _ word: (Int) -> UInt64
    ) throws(CompressionFailure) -> ParquetValues {
        let count = column.valueCount
        let sample = min(count, Self.sampleCount)
        var best = ParquetValues.plain(column)
        var bestBytes = try compressedBytes(best, sample)
        if let other {
            let bytes = try compressedBytes(other, sample)
            if bytes < bestBytes {
                best = other
                bestBytes = bytes
            }
        }
        // A dictionary counts whole, its indices as the sample says.
        guard let words = WordDictionary(count: count, wordsMax: settings.dictionaryBytesMax / 8, word) else {
            return best
        }
        let dictionary = ParquetValues.dictionary(codes: words.codes, page: words.page, count: words.words.count)
        let scale = Double(count) / Double(max(sample, 1))
        let indexBytes = Double(try compressedBytes(dictionary, sample)) * scale
        let pageBytes = Double(try compressor.compress(words.page).count)
        return indexBytes + pageBytes < Double(bestBytes) * scale ? dictionary : best
    }

    private func compressedBytes(_ values: ParquetValues, _ count: Int) throws(CompressionFailure) -> Int {
        var out: [UInt8] = []
        values.append(0..<count, to: &out)
        return try compressor.compress(out).count
    }
}
