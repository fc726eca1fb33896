import StreamEngine

/// DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY (Encodings.md): texts that a dictionary does not help.
enum TextEncoder {
    /// Lengths as differences, then all bytes.
    static func appendLengths(_ texts: some Sequence<ByteString>, to out: inout [UInt8]) {
        var lengths: [Int64] = []
        for text in texts { lengths.append(Int64(text.count)) }
        lengths.withUnsafeBufferPointer { DeltaEncoder.append($0, to: &out) }
        for text in texts { out.append(contentsOf: text.bytes) }
    }

    /// How many bytes each text shares with the start of the one before it, then what is left of each.
    static func appendSuffixes(_ texts: some Sequence<ByteString>, to out: inout [UInt8]) {
        var shared: [Int64] = []
        var lengths: [Int64] = []
        var suffixes: [UInt8] = []
        var previous = ByteString.empty
        for text in texts {
            let common = sharedPrefix(previous, text)
            shared.append(Int64(common))
            lengths.append(Int64(text.count - common))
            suffixes.append(contentsOf: text.bytes[common...])
            previous = text
        }
        shared.withUnsafeBufferPointer { DeltaEncoder.append($0, to: &out) }
        lengths.withUnsafeBufferPointer { DeltaEncoder.append($0, to: &out) }
        out.append(contentsOf: suffixes)
    }

    /// Bytes that two texts begin with alike.
    static func sharedPrefix(_ a: ByteString, _ b: ByteString) -> Int {
        a.bytes.withUnsafeBufferPointer { a in
            b.bytes.withUnsafeBufferPointer { b in
                let limit = min(a.count, b.count)
                var at = 0
                while at < limit, a[at] == b[at] { at += 1 }
                return at
            }
        }
    }
}
