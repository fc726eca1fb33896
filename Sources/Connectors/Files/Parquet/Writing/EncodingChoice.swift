import Platform
import StreamEngine

/// Chooses the encoding of a column chunk: the one that makes a sample of it smallest, compressed as the file is.
struct EncodingChoice {
    let settings: ParquetSettings
    let compressor: BlockCompressor

    /// Texts that are tried.
    private static let sampleCount = 16_384
    /// Numbers that are tried: so many stretches of so many values, spread over the column.
    private static let stretches = (count: 4, values: 1024)

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
        let sample = Self.sample(of: column.valueCount)
        var best = ParquetValues.plain(column)
        var bestBytes = try compressedBytes(best, sample)
        if let other {
            let bytes = try compressedBytes(other, sample)
            if bytes < bestBytes {
                best = other
                bestBytes = bytes
            }
        }
        // One that has most values itself, and their indices besides, makes nothing smaller.
        let wordsMax = Swift.min(settings.dictionaryBytesMax / 8, column.valueCount / 2)
        guard Self.mayFit(sample, of: column.valueCount, wordsMax, word) else { return best }
        // A dictionary counts whole, its indices as the sample says.
        let count = column.valueCount
        guard let words = WordDictionary(0..<count, wordsMax: wordsMax, word) else { return best }
        let dictionary = ParquetValues.dictionary(codes: words.codes, page: words.page, count: words.words.count)
        let scale = Double(count) / Double(max(sample.reduce(0) { $0 + $1.count }, 1))
        let indexBytes = Double(try compressedBytes(dictionary, sample)) * scale
        let pageBytes = Double(try compressedBytes(words.page))
        return indexBytes + pageBytes < Double(bestBytes) * scale ? dictionary : best
    }

    /// Stretches of a column of `count` values.
    private static func sample(of count: Int) -> [Range<Int>] {
        guard count > stretches.count * stretches.values else { return [0..<count] }
        return (0..<stretches.count).map { number in
            let start = (count - stretches.values) * number / (stretches.count - 1)
            return start..<(start + stretches.values)
        }
    }

    /// Whether the column may have `wordsMax` different values or fewer, by a sample of it. Values that stretches far apart
    /// share are drawn from few; where they share next to none, each stretch has values of its own, and the whole column
    /// as many as its length says.
    private static func mayFit(
        _ sample: [Range<Int>], of count: Int, _ wordsMax: Int, _ word: (Int) -> UInt64
    ) -> Bool {
        let sampled = sample.reduce(0) { $0 + $1.count }
        guard sample.count > 1,
            let together = WordDictionary(sample.joined(), wordsMax: sampled, word)?.words.count
        else { return true }
        let apart = sample.reduce(0) { $0 + (WordDictionary($1, wordsMax: sampled, word)?.words.count ?? 0) }
        let isShared = (apart - together) * 256 > sampled
        return isShared || Double(apart) / Double(sampled) * Double(count) <= Double(wordsMax)
    }

    private func compressedBytes(_ values: ParquetValues, _ sample: [Range<Int>]) throws(CompressionFailure) -> Int {
        var out: [UInt8] = []
        for stretch in sample { values.append(stretch, to: &out) }
        return try compressedBytes(out)
    }

    private func compressedBytes(_ bytes: [UInt8]) throws(CompressionFailure) -> Int {
        try compressor.compress(bytes) { compressed in compressed.count }
    }
}
