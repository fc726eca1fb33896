extension Compression {
    /// The first `limit` bytes at most of what `bytes` decompress to; nil when they are damaged before that or end within a
    /// frame. Never makes more room than `limit` and a chunk.
    public static func prefix(of bytes: UnsafeRawBufferPointer, _ compression: Compression, limit: Int) -> [UInt8]? {
        guard let decompressor = compression.makeDecompressor() else { return Array(bytes.prefix(limit)) }
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        var consumed = 0
        while output.count < limit {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[consumed...])
            guard
                let step = chunk.withUnsafeMutableBytes({ room in
                    try? decompressor.step(rest, into: room)
                })
            else { return nil }
            consumed += step.consumed
            output.append(contentsOf: chunk.prefix(step.produced))
            if step.isFrameEnd && consumed == bytes.count { break }
            guard step.consumed > 0 || step.produced > 0 else { return nil }
        }
        return output.count > limit ? Array(output.prefix(limit)) : output
    }
}

extension Compression {
    /// One whole frame of `bytes` as fast as the format can: zstd level 1 and no checksum of its own, for what another
    /// checksum covers. The bytes themselves for `none`.
    public func fastFrame(_ bytes: [UInt8]) throws(CompressionFailure) -> [UInt8] {
        switch self {
        case .zstd: try Self.zstdFrame(bytes, level: 1, hasChecksum: false)
        case .none, .gzip, .lz4: try frame(bytes)
        }
    }

    /// What one or more frames decompress to, which must be `count` bytes and end with the last frame; nil for anything
    /// else. Room is made as bytes come out, so a hostile `count` costs nothing.
    public func decompressed(_ bytes: UnsafeRawBufferPointer, count: Int) -> [UInt8]? {
        guard let decompressor = makeDecompressor() else { return bytes.count == count ? Array(bytes) : nil }
        var output = [UInt8](repeating: 0, count: min(max(count, 0), max(bytes.count, 1 << 10) * 8))
        var consumed = 0
        var produced = 0
        var isFrameEnd = false
        // A frame whose bytes are all out may still have an end to be read.
        while consumed < bytes.count || (produced < count && !isFrameEnd) {
            if produced == output.count, produced < count {
                output.append(contentsOf: repeatElement(0, count: min(count - produced, produced + 1 << 16)))
            }
            let rest = UnsafeRawBufferPointer(rebasing: bytes[consumed...])
            guard
                let step = output.withUnsafeMutableBytes({ room in
                    try? decompressor.step(rest, into: UnsafeMutableRawBufferPointer(rebasing: room[produced...]))
                }), step.consumed > 0 || step.produced > 0
            else { return nil }
            consumed += step.consumed
            produced += step.produced
            isFrameEnd = step.isFrameEnd
        }
        return isFrameEnd && produced == count ? output : nil
    }
}
