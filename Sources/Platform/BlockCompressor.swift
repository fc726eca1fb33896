import CLz4
import CZstd

/// How a block of bytes is compressed whose sizes are kept elsewhere (Parquet pages).
public enum BlockCompression: Sendable, Hashable {
    case none
    case snappy
    /// LZ4's block format, without a frame.
    case lz4
    /// A zstd frame; `level` 1...22.
    case zstd(level: Int)
}

/// Compresses blocks one after another; keeps its tables between them. For one thread at a time.
public final class BlockCompressor {
    public let compression: BlockCompression
    private let zstd: OpaquePointer?

    /// A compressor of blocks.
    public init(_ compression: BlockCompression) {
        self.compression = compression
        guard case .zstd(let level) = compression else {
            zstd = nil
            return
        }
        zstd = ZSTD_createCCtx()
        if let zstd { ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, Int32(truncatingIfNeeded: level)) }
    }

    deinit { ZSTD_freeCCtx(zstd) }

    /// One block.
    public func compress(_ bytes: [UInt8]) throws(CompressionFailure) -> [UInt8] {
        switch compression {
        case .none: return bytes
        case .snappy: return Snappy.compress(bytes)
        case .lz4:
            guard bytes.count <= Int(LZ4_MAX_INPUT_SIZE) else { throw CompressionFailure("lz4: a block over 2 GB") }
            return try Self.fill(Int(LZ4_compressBound(Int32(bytes.count))), "lz4", from: bytes) { source, target in
                let count = LZ4_compress_default(
                    source.bindMemory(to: CChar.self).baseAddress, target.bindMemory(to: CChar.self).baseAddress,
                    Int32(source.count), Int32(target.count))
                return count > 0 ? Int(count) : nil
            }
        case .zstd:
            guard let zstd else { throw CompressionFailure("no memory to compress (zstd)") }
            return try Self.fill(ZSTD_compressBound(bytes.count), "zstd", from: bytes) { source, target in
                let count = ZSTD_compress2(zstd, target.baseAddress, target.count, source.baseAddress, source.count)
                return ZSTD_isError(count) == 0 ? count : nil
            }
        }
    }

    private static func fill(
        _ room: Int, _ name: String, from bytes: [UInt8],
        _ body: (UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer) -> Int?
    ) throws(CompressionFailure) -> [UInt8] {
        var isDone = true
        let output = [UInt8](unsafeUninitializedCapacity: max(room, 1)) { target, count in
            let written = bytes.withUnsafeBytes { body($0, UnsafeMutableRawBufferPointer(target)) }
            isDone = written != nil
            count = written ?? 0
        }
        guard isDone else { throw CompressionFailure("\(name): compression failed") }
        return output
    }
}
