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
    /// What was compressed last.
    private var room = UnsafeMutableRawBufferPointer(start: nil, count: 0)

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

    deinit {
        ZSTD_freeCCtx(zstd)
        room.deallocate()
    }

    /// One block; `body` is given it, and may look at it until it returns.
    public func compress<R>(
        _ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) -> R
    ) throws(CompressionFailure) -> R {
        switch compression {
        case .none: return bytes.withUnsafeBytes { body($0) }
        case .snappy:
            return Snappy.compress(bytes).withUnsafeBytes { body($0) }
        case .lz4:
            guard bytes.count <= Int(LZ4_MAX_INPUT_SIZE) else { throw CompressionFailure("lz4: a block over 2 GB") }
            makeRoom(Int(LZ4_compressBound(Int32(bytes.count))))
            let count = bytes.withUnsafeBytes { source in
                LZ4_compress_default(
                    source.bindMemory(to: CChar.self).baseAddress, room.bindMemory(to: CChar.self).baseAddress,
                    Int32(source.count), Int32(truncatingIfNeeded: room.count))
            }
            guard count > 0 else { throw CompressionFailure("lz4: compression failed") }
            return body(UnsafeRawBufferPointer(rebasing: room[..<Int(count)]))
        case .zstd:
            guard let zstd else { throw CompressionFailure("no memory to compress (zstd)") }
            makeRoom(ZSTD_compressBound(bytes.count))
            let count = bytes.withUnsafeBytes { source in
                ZSTD_compress2(zstd, room.baseAddress, room.count, source.baseAddress, source.count)
            }
            guard ZSTD_isError(count) == 0 else { throw CompressionFailure("zstd: compression failed") }
            return body(UnsafeRawBufferPointer(rebasing: room[..<count]))
        }
    }

    private func makeRoom(_ count: Int) {
        guard room.count < count else { return }
        room.deallocate()
        room = .allocate(byteCount: count, alignment: 16)
    }
}
