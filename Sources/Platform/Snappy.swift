import CSnappy

/// Bytes that are no snappy block, or would decompress to more than allowed.
public enum SnappyFailure: Error, Sendable, Equatable, CustomStringConvertible {
    case damaged
    /// The block says it holds `bytes`, more than `limit`.
    case tooLarge(bytes: Int, limit: Int)

    public var description: String {
        switch self {
        case .damaged: "not a snappy block, or a damaged one"
        case .tooLarge(let bytes, let limit): "a snappy block of \(bytes) bytes, more than the limit of \(limit)"
        }
    }
}

/// Snappy's block format (no framing), as Prometheus remote-write uses it.
public enum Snappy {
    /// Decompresses one block into `output`, replacing what it held. Never makes more room than `limit` bytes, whatever
    /// length the block claims.
    public static func decompress(
        _ block: UnsafeBufferPointer<UInt8>, into output: inout [UInt8], limit: Int
    ) throws(SnappyFailure) {
        output.removeAll(keepingCapacity: true)
        guard let base = block.baseAddress, !block.isEmpty else { throw .damaged }
        let length = try decompressedLength(block)
        guard length <= limit else { throw .tooLarge(bytes: length, limit: limit) }
        guard length > 0 else {
            var none: CChar = 0
            var count = 0
            let status = base.withMemoryRebound(to: CChar.self, capacity: block.count) {
                snappy_uncompress($0, block.count, &none, &count)
            }
            guard status == SNAPPY_OK else { throw .damaged }
            return
        }
        // A block cannot shrink by more than about 1 : 21; a length beyond that is a lie not worth the memory.
        guard length / 64 <= block.count else { throw .damaged }
        output.append(contentsOf: repeatElement(0, count: length))
        var count = length
        let status = output.withUnsafeMutableBytes { target in
            base.withMemoryRebound(to: CChar.self, capacity: block.count) {
                snappy_uncompress($0, block.count, target.bindMemory(to: CChar.self).baseAddress, &count)
            }
        }
        guard status == SNAPPY_OK, count == length else {
            output.removeAll(keepingCapacity: true)
            throw .damaged
        }
    }

    /// One block of `bytes`.
    public static func compress(_ bytes: [UInt8]) -> [UInt8] {
        var count = snappy_max_compressed_length(bytes.count)
        var output = [UInt8](repeating: 0, count: max(count, 1))
        let status = output.withUnsafeMutableBytes { target in
            bytes.withUnsafeBytes { source in
                // An empty array has no address; snappy wants one, and reads nothing there.
                snappy_compress(
                    source.isEmpty
                        ? UnsafeRawPointer(target.baseAddress)?.assumingMemoryBound(to: CChar.self)
                        : source.bindMemory(to: CChar.self).baseAddress,
                    bytes.count, target.bindMemory(to: CChar.self).baseAddress, &count)
            }
        }
        // `output` has what snappy_max_compressed_length asks for, whatever the bytes are.
        precondition(status == SNAPPY_OK, "snappy_compress fails only for a buffer that is too small")
        output.removeLast(output.count - count)
        return output
    }

    private static func decompressedLength(_ block: UnsafeBufferPointer<UInt8>) throws(SnappyFailure) -> Int {
        // The varint in front (format description, section 1), at most 2^32 - 1.
        var length: UInt64 = 0
        for (i, byte) in block.prefix(5).enumerated() {
            length |= UInt64(byte & 0x7f) << UInt64(7 * i)
            if byte < 0x80 {
                guard length <= UInt64(UInt32.max) else { throw .damaged }
                return Int(length)
            }
        }
        throw .damaged
    }
}
