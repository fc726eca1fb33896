/// Hashing and comparing runs of bytes in memory; hashes are never written to disk.
public enum ByteHash {
    /// Whether `length` bytes are the same; eight at a time.
    @inlinable
    @inline(__always)
    public static func equal(_ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, _ length: Int) -> Bool {
        let x = UnsafeRawPointer(a)
        let y = UnsafeRawPointer(b)
        if length >= 8 {
            var at = 0
            while at + 8 <= length {
                if x.loadUnaligned(fromByteOffset: at, as: UInt64.self)
                    != y.loadUnaligned(fromByteOffset: at, as: UInt64.self)
                {
                    return false
                }
                at += 8
            }
            return x.loadUnaligned(fromByteOffset: length - 8, as: UInt64.self)
                == y.loadUnaligned(fromByteOffset: length - 8, as: UInt64.self)
        }
        for at in 0..<length where a[at] != b[at] { return false }
        return true
    }

    /// Copies `length` bytes to where none of them stand yet; for short texts, without a call.
    @inlinable
    @inline(__always)
    public static func copy(_ from: UnsafePointer<UInt8>, to: UnsafeMutablePointer<UInt8>, _ length: Int) {
        let x = UnsafeRawPointer(from)
        let y = UnsafeMutableRawPointer(to)
        if length > 64 {
            y.copyMemory(from: x, byteCount: length)
        } else if length >= 8 {
            var at = 0
            while at + 8 < length {
                y.storeBytes(
                    of: x.loadUnaligned(fromByteOffset: at, as: UInt64.self), toByteOffset: at, as: UInt64.self)
                at += 8
            }
            // The last eight bytes, some of them a second time.
            y.storeBytes(
                of: x.loadUnaligned(fromByteOffset: length - 8, as: UInt64.self), toByteOffset: length - 8,
                as: UInt64.self)
        } else {
            for at in 0..<length { to[at] = from[at] }
        }
    }

    /// A 64-bit hash in the manner of wyhash (multiply and fold).
    @inlinable
    public static func hash(_ bytes: UnsafePointer<UInt8>, _ length: Int) -> UInt64 {
        let raw = UnsafeRawPointer(bytes)
        var h: UInt64 = 0x9E37_79B9_7F4A_7C15 ^ UInt64(truncatingIfNeeded: length)
        @inline(__always)
        func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
            let wide = a.multipliedFullWidth(by: b)
            return wide.high ^ wide.low
        }
        var at = 0
        // Sixteen bytes a multiplication; the constants keep a run of zeros from wiping out what came before.
        while at + 16 <= length {
            h = mix(
                raw.loadUnaligned(fromByteOffset: at, as: UInt64.self) ^ 0xD6E8_FEB8_6659_FD93,
                raw.loadUnaligned(fromByteOffset: at + 8, as: UInt64.self) ^ h)
            at += 16
        }
        if at + 8 <= length {
            h = mix(h ^ raw.loadUnaligned(fromByteOffset: at, as: UInt64.self), 0xD6E8_FEB8_6659_FD93)
            at += 8
        }
        var tail: UInt64 = 0
        if length >= 8 {
            // The last eight bytes, some of them a second time.
            tail = raw.loadUnaligned(fromByteOffset: length - 8, as: UInt64.self)
        } else {
            while at < length {
                tail = tail << 8 | UInt64(bytes[at])
                at += 1
            }
        }
        return mix(h ^ tail, 0xA076_1D64_78BD_642F)
    }

    /// The same of a buffer.
    @inlinable
    public static func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
        guard let base = bytes.baseAddress, !bytes.isEmpty else { return 0 }
        return hash(base, bytes.count)
    }

    /// The same of an array.
    @inlinable
    public static func hash(_ bytes: [UInt8]) -> UInt64 { bytes.withUnsafeBufferPointer { hash($0) } }

    /// Whether two arrays hold the same bytes.
    @inlinable
    public static func equal(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        a.withUnsafeBufferPointer { x in
            b.withUnsafeBufferPointer { y in
                guard x.count == y.count else { return false }
                guard let p = x.baseAddress, let q = y.baseAddress else { return true }
                return p == q || equal(p, q, x.count)
            }
        }
    }
}
