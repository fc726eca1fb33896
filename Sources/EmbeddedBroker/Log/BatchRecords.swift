import Platform

/// The records of a stored batch, decompressed. Only a search by time needs them.
enum BatchRecords {
    /// Bytes a batch may decompress to here; beyond it the search gives the batch's first record.
    static let maxBytes = 64 << 20

    /// The bytes behind the batch's header, decompressed; nil when they cannot be.
    static func bytes(_ batch: [UInt8], _ header: RecordBatchHeader) -> [UInt8]? {
        // A file that cannot be read gives less than was asked for.
        guard batch.count >= RecordBatchHeader.size else { return nil }
        let body = batch[RecordBatchHeader.size...]
        switch header.codec {
        case 0: return Array(body)
        case 1: return whole(body, .gzip)
        case 2: return snappy(Array(body))
        case 3: return whole(body, .lz4)
        case 4: return whole(body, .zstd)
        default: return nil
        }
    }

    private static func whole(_ body: ArraySlice<UInt8>, _ compression: Compression) -> [UInt8]? {
        guard let bytes = body.withUnsafeBytes({ Compression.prefix(of: $0, compression, limit: maxBytes) }) else {
            return nil
        }
        return bytes.count < maxBytes ? bytes : nil
    }

    /// A bare snappy block, or the Java clients' stream of them: a magic of 8 bytes, two version numbers of 4, then
    /// blocks behind their 4-byte lengths.
    private static func snappy(_ body: [UInt8]) -> [UInt8]? {
        let magic: [UInt8] = [0x82] + Array("SNAPPY".utf8) + [0]
        guard body.starts(with: magic) else { return block(body[...]) }
        var output: [UInt8] = []
        var at = 16
        while at < body.count {
            guard body.count - at >= 4 else { return nil }
            let length = body[at..<at + 4].reduce(0) { $0 << 8 | Int($1) }
            at += 4
            guard length <= body.count - at, output.count < maxBytes, let next = block(body[at..<at + length]) else {
                return nil
            }
            output += next
            at += length
        }
        return output
    }

    private static func block(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        var output: [UInt8] = []
        do throws(SnappyFailure) {
            try bytes.withUnsafeBufferPointer { (block) throws(SnappyFailure) in
                try Snappy.decompress(block, into: &output, limit: maxBytes)
            }
        } catch {
            // The producer's bytes are its own affair; without them the search gives the batch's first record.
            return nil
        }
        return output
    }
}
