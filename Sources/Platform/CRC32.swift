import CZlib

/// CRC-32 as gzip and Parquet's pages use it (ISO 3309, reflected polynomial 0xEDB88320).
public enum CRC32 {
    /// The checksum of some bytes.
    public static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        UInt32(
            truncatingIfNeeded: crc32_z(0, bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count))
    }
}
