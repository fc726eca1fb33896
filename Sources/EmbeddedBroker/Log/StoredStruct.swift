import Platform

/// Our own files hold the same kind of structures as the wire, each behind its length and checksum:
///
///     length u32 | crc32c u32 | version i16 | fields (flexible form)
enum StoredStruct {
    /// Version of the form all stored structures have now.
    static let version: Int16 = 1
    /// Bytes before the version.
    static let overhead = 8

    /// The bytes of a structure.
    static func bytes<T: WireStruct>(_ value: T) -> [UInt8] {
        var value = value
        var c = WireCodec(writing: version, flexible: true)
        do {
            try value.code(&c)
        } catch {
            // `WireCodec` throws for bytes it reads only; an entry of the journal is made with one of its kinds.
            preconditionFailure("writing a structure cannot fail: \(error)")
        }
        var body: [UInt8] = []
        withUnsafeBytes(of: version.bigEndian) { body.append(contentsOf: $0) }
        for case .bytes(let bytes) in c.output.finished() { body.append(contentsOf: bytes) }
        var all: [UInt8] = []
        withUnsafeBytes(of: UInt32(body.count).bigEndian) { all.append(contentsOf: $0) }
        withUnsafeBytes(of: CRC32C.checksum(body).bigEndian) { all.append(contentsOf: $0) }
        return all + body
    }

    /// The whole structure at `position` and the bytes it takes; nil when it is torn or damaged.
    static func read<T: WireStruct>(
        _ type: T.Type, _ bytes: UnsafeRawBufferPointer, at position: Int
    ) -> (value: T, length: Int)? {
        guard bytes.count - position > overhead + 2 else { return nil }
        let length = Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self)))
        let crc = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: position + 4, as: UInt32.self))
        let start = position + overhead
        guard length >= 2, length <= bytes.count - start else { return nil }
        let body = UnsafeRawBufferPointer(rebasing: bytes[start..<start + length])
        guard CRC32C.checksum(body) == crc,
            Int16(bigEndian: body.loadUnaligned(as: Int16.self)) == version
        else { return nil }
        let frame = FrameBuffer(capacity: length)
        frame.append(body)
        var c = WireCodec(reading: frame, at: 2, version: version, flexible: true, elements: .max)
        var value = T()
        do {
            try value.code(&c)
        } catch {
            return nil
        }
        return (value, overhead + length)
    }
}
