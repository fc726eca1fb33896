/// Bytes that stay where they were put until all are forgotten, in chunks that are used again then: where the last ones
/// were is memory that the kernel need not clear.
struct StableBytes: ~Copyable {
    private struct Chunk {
        let bytes: UnsafeMutableRawBufferPointer
        /// Made for one run of bytes that has no room in an ordinary one.
        let isSingle: Bool
    }

    private var chunks: [Chunk] = []
    /// Chunks that hold something; the last of them is being filled.
    private var used = 0
    /// Bytes of the last used chunk that are taken.
    private var filled = 0

    private static let chunkBytes = 256 << 10

    deinit {
        for chunk in chunks { chunk.bytes.deallocate() }
    }

    /// What is left of the chunk that is being filled.
    var left: Int { used == 0 ? 0 : chunks[used - 1].bytes.count - filled }

    /// Takes room for so many bytes, of no content yet.
    mutating func room(_ count: Int) -> UnsafeMutableRawBufferPointer {
        if used == 0 || left < count {
            if used == chunks.count || chunks[used].bytes.count < count {
                let bytes = UnsafeMutableRawBufferPointer.allocate(
                    byteCount: max(count, Self.chunkBytes), alignment: 16)
                chunks.insert(Chunk(bytes: bytes, isSingle: count > Self.chunkBytes), at: used)
            }
            used += 1
            filled = 0
        }
        defer { filled += count }
        return UnsafeMutableRawBufferPointer(rebasing: chunks[used - 1].bytes[filled..<filled + count])
    }

    /// Forgets what is there. Chunks stay that were filled this time.
    mutating func clear() {
        for place in chunks.indices.reversed() where place >= used || chunks[place].isSingle {
            chunks.remove(at: place).bytes.deallocate()
        }
        used = 0
        filled = 0
    }
}
