import Platform

/// Takes pages' bytes out of their compression. Room is made as bytes come out or as far as the codec could fill it, never
/// for what a head merely claims.
enum PageCodec {
    /// The `count` bytes that `block` holds.
    static func decompress(_ block: [UInt8], _ codec: ParquetCodec, count: Int) throws(PageFailure) -> [UInt8] {
        let made: [UInt8]?
        switch codec {
        case .uncompressed: made = block
        case .snappy: made = snappy(block, count)
        case .gzip: made = streamed(block, .gzip, count)
        case .zstd: made = streamed(block, .zstd, count)
        case .lz4Raw: made = block.withUnsafeBytes { Lz4Block.decompress($0, count: count) }
        case .lzo, .brotli, .lz4: throw PageFailure("pages compressed with \(codec), which this program does not read")
        }
        guard let made, made.count == count else { throw PageFailure("a page that does not decompress (\(codec))") }
        return made
    }

    private static func snappy(_ block: [UInt8], _ count: Int) -> [UInt8]? {
        var output: [UInt8] = []
        let isWhole = block.withUnsafeBufferPointer { (try? Snappy.decompress($0, into: &output, limit: count)) != nil }
        return isWhole ? output : nil
    }

    private static func streamed(_ block: [UInt8], _ compression: Compression, _ count: Int) -> [UInt8]? {
        // One byte more than wanted, so that the end of the stream is seen.
        block.withUnsafeBytes { Compression.prefix(of: $0, compression, limit: count + 1) }
    }
}
