import Platform

/// How a block's bytes were made ready for a file.
public struct BlockPacking: Sendable, Equatable {
    public let compression: Compression
    /// Bytes before compression.
    public let rawCount: Int
    /// XXH64 of the bytes after compression.
    public let checksum: UInt64
}

extension StateBlock {
    /// The block made ready for a file: compressed (left as it is where that does not make it smaller) and summed. May be
    /// called for different blocks on different threads; a block that is packed already stays so.
    public func packed(_ compression: Compression) throws(CheckpointError) -> StateBlock {
        guard packing == nil else { return self }
        var packed = self
        var used = Compression.none
        if compression != .none, !bytes.isEmpty {
            do throws(CompressionFailure) {
                let frame = try compression.fastFrame(bytes)
                if frame.count < bytes.count {
                    packed.bytes = frame
                    used = compression
                }
            } catch {
                throw CheckpointError(.io, "state of \(id) cannot be compressed: \(error.description)")
            }
        }
        packed.packing = BlockPacking(
            compression: used, rawCount: bytes.count, checksum: XXH64.hash(packed.bytes))
        return packed
    }
}

extension StateID: CustomStringConvertible {
    /// For messages: `query cpu of metrics/3`.
    public var description: String {
        switch self {
        case .task(let id): "partition \(id) of source \(id.source)"
        case .windows(let query, let id): "windows of query \(query) for \(id)"
        case .detectors(let query, let id): "detectors of query \(query) for \(id)"
        case .query(let query): "query \(query)"
        case .source(let source): "source \(source)"
        }
    }
}
