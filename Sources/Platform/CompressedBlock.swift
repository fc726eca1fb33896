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
