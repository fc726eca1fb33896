import CZlib

/// gzip (RFC 1952), any number of members.
final class GzipDecompressor: Decompressor {
    // On the heap: zlib keeps the stream's address and checks it.
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private let isReady: Bool
    private var isBetweenMembers = true
    private var members = 0

    init() {
        stream.initialize(to: z_stream())
        // 15 + 16: the largest window, gzip framing only.
        isReady = inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    }

    deinit {
        if isReady { inflateEnd(stream) }
        stream.deallocate()
    }

    func step(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(DecompressionProblem) -> DecompressionStep {
        guard isReady else { throw DecompressionProblem(text: "no memory to decompress") }
        if isBetweenMembers, input.isEmpty {
            return DecompressionStep(consumed: 0, produced: 0, isFrameEnd: members > 0)
        }
        if isBetweenMembers, members > 0 {
            // Zeros after the last member are padding (tapes, block devices); gzip passes over them too.
            let zeros = input.prefix { $0 == 0 }.count
            if zeros > 0 { return DecompressionStep(consumed: zeros, produced: 0, isFrameEnd: true) }
            inflateReset(stream)
        }
        isBetweenMembers = false
        let inputCount = min(input.count, Int(UInt32.max))
        let outputCount = min(output.count, Int(UInt32.max))
        // zlib's interface lacks const: it does not write to its input.
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.bindMemory(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = UInt32(inputCount)
        stream.pointee.next_out = output.bindMemory(to: UInt8.self).baseAddress
        stream.pointee.avail_out = UInt32(outputCount)
        let result = inflate(stream, Z_NO_FLUSH)
        switch result {
        case Z_STREAM_END:
            isBetweenMembers = true
            members += 1
        case Z_OK, Z_BUF_ERROR: break
        default:
            throw DecompressionProblem(text: stream.pointee.msg.map { String(cString: $0) } ?? "zlib error \(result)")
        }
        return DecompressionStep(
            consumed: inputCount - Int(stream.pointee.avail_in), produced: outputCount - Int(stream.pointee.avail_out),
            isFrameEnd: isBetweenMembers)
    }
}

extension Compression {
    /// One gzip member of `bytes`.
    static func gzipMember(_ bytes: [UInt8]) throws(CompressionFailure) -> [UInt8] {
        var stream = z_stream()
        // 6: zlib's own default level. Memory level 8 likewise.
        guard
            deflateInit2_(
                &stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { throw CompressionFailure("no memory to compress (gzip)") }
        defer { deflateEnd(&stream) }
        guard bytes.count <= Int(UInt32.max) / 2 else { throw CompressionFailure("more than 2 GiB in a gzip member") }
        var output = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(bytes.count))))
        let result = output.withUnsafeMutableBufferPointer { target in
            bytes.withUnsafeBufferPointer { source in
                stream.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
                stream.avail_in = UInt32(source.count)
                stream.next_out = target.baseAddress
                stream.avail_out = UInt32(target.count)
                return deflate(&stream, Z_FINISH)
            }
        }
        guard result == Z_STREAM_END else { throw CompressionFailure("zlib error \(result)") }
        output.removeLast(Int(stream.avail_out))
        return output
    }
}
