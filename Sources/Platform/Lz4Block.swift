import CLz4

/// LZ4's block format (no frame), as Parquet's LZ4_RAW uses it.
public enum Lz4Block {
    /// Decompresses one block that holds `count` bytes; nil when it does not. Never makes room that the block could not
    /// fill (a block grows by at most 255 times).
    public static func decompress(_ block: UnsafeRawBufferPointer, count: Int) -> [UInt8]? {
        guard count >= 0, count <= Int(Int32.max), block.count <= Int(Int32.max), count / 255 <= block.count else {
            return nil
        }
        let source = block.bindMemory(to: CChar.self).baseAddress
        guard let source else { return count == 0 ? [] : nil }
        var output = [UInt8](repeating: 0, count: max(count, 1))
        let made = output.withUnsafeMutableBytes { target in
            LZ4_decompress_safe(
                source, target.bindMemory(to: CChar.self).baseAddress, Int32(block.count), Int32(count))
        }
        guard made == Int32(count) else { return nil }
        output.removeLast(output.count - count)
        return output
    }
}
