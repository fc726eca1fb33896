import CZstd

/// zstd (RFC 8878), any number of frames, skippable ones included.
final class ZstdDecompressor: Decompressor {
    private let context: OpaquePointer?

    init() { context = ZSTD_createDCtx() }

    deinit { ZSTD_freeDCtx(context) }

    func step(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(DecompressionProblem) -> DecompressionStep {
        guard let context else { throw DecompressionProblem(text: "no memory to decompress") }
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        let result = ZSTD_decompressStream(context, &target, &source)
        guard ZSTD_isError(result) == 0 else {
            throw DecompressionProblem(text: String(cString: ZSTD_getErrorName(result)))
        }
        return DecompressionStep(consumed: source.pos, produced: target.pos, isFrameEnd: result == 0)
    }
}

extension Compression {
    /// One zstd frame of `bytes`, with content size and checksum.
    static func zstdFrame(_ bytes: [UInt8]) throws(CompressionFailure) -> [UInt8] {
        try zstdFrame(bytes, level: ZSTD_CLEVEL_DEFAULT, hasChecksum: true)
    }

    /// One zstd frame of `bytes`, with content size.
    static func zstdFrame(
        _ bytes: [UInt8], level: Int32, hasChecksum: Bool
    ) throws(CompressionFailure) -> [UInt8] {
        guard let context = ZSTD_createCCtx() else { throw CompressionFailure("no memory to compress (zstd)") }
        defer { ZSTD_freeCCtx(context) }
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, hasChecksum ? 1 : 0)
        var output = [UInt8](repeating: 0, count: ZSTD_compressBound(bytes.count))
        let result = output.withUnsafeMutableBytes { target in
            bytes.withUnsafeBytes { source in
                ZSTD_compress2(context, target.baseAddress, target.count, source.baseAddress, source.count)
            }
        }
        guard ZSTD_isError(result) == 0 else {
            throw CompressionFailure("zstd: \(String(cString: ZSTD_getErrorName(result)))")
        }
        output.removeLast(output.count - result)
        return output
    }
}
