import CLz4

/// LZ4 frames (frame format 1.6), any number, skippable ones included.
final class Lz4Decompressor: Decompressor {
    private var context: OpaquePointer?

    init() {
        if LZ4F_isError(LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))) != 0 { context = nil }
    }

    deinit { LZ4F_freeDecompressionContext(context) }

    func step(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(DecompressionProblem) -> DecompressionStep {
        guard let context else { throw DecompressionProblem(text: "no memory to decompress") }
        var consumed = input.count
        var produced = output.count
        let result = LZ4F_decompress(context, output.baseAddress, &produced, input.baseAddress, &consumed, nil)
        guard LZ4F_isError(result) == 0 else {
            throw DecompressionProblem(text: String(cString: LZ4F_getErrorName(result)))
        }
        return DecompressionStep(consumed: consumed, produced: produced, isFrameEnd: result == 0)
    }
}

extension Compression {
    /// One LZ4 frame of `bytes`, with content size and checksum.
    static func lz4Frame(_ bytes: [UInt8]) throws(CompressionFailure) -> [UInt8] {
        var preferences = LZ4F_preferences_t()
        preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled
        preferences.frameInfo.contentSize = UInt64(bytes.count)
        var output = [UInt8](repeating: 0, count: LZ4F_compressFrameBound(bytes.count, &preferences))
        let result = output.withUnsafeMutableBytes { target in
            bytes.withUnsafeBytes { source in
                LZ4F_compressFrame(target.baseAddress, target.count, source.baseAddress, source.count, &preferences)
            }
        }
        guard LZ4F_isError(result) == 0 else {
            throw CompressionFailure("lz4: \(String(cString: LZ4F_getErrorName(result)))")
        }
        output.removeLast(output.count - result)
        return output
    }
}
