/// XXH64, the 64-bit checksum of our files: xxHash fast digest algorithm, specification 0.1.1, section "XXH64".
///
/// Streaming: any cut of the input gives the same digest. A value type, so a file's running checksum can be copied.
public struct XXH64: Sendable {
    @usableFromInline var lane1: UInt64
    @usableFromInline var lane2: UInt64
    @usableFromInline var lane3: UInt64
    @usableFromInline var lane4: UInt64
    private let seed: UInt64
    private var total: UInt64 = 0
    /// Up to 31 bytes that do not fill a stripe yet, as four little-endian words.
    private var held: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    private var heldCount = 0

    private static let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
    private static let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
    private static let prime3: UInt64 = 0x1656_67B1_9E37_79F9
    private static let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
    private static let prime5: UInt64 = 0x27D4_EB2F_1656_67C5

    /// An empty digest.
    public init(seed: UInt64 = 0) {
        self.seed = seed
        lane1 = seed &+ Self.prime1 &+ Self.prime2
        lane2 = seed &+ Self.prime2
        lane3 = seed
        lane4 = seed &- Self.prime1
    }

    /// The digest of `bytes` alone.
    public static func hash(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
        var state = XXH64(seed: seed)
        state.update(bytes)
        return state.digest
    }

    /// The digest of `bytes` alone.
    public static func hash(_ bytes: [UInt8], seed: UInt64 = 0) -> UInt64 {
        bytes.withUnsafeBytes { hash($0, seed: seed) }
    }

    /// Adds bytes.
    public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    /// Adds bytes.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        total &+= UInt64(bytes.count)
        var rest = bytes
        if heldCount > 0 {
            let taken = min(32 - heldCount, rest.count)
            hold(UnsafeRawBufferPointer(rebasing: rest[..<taken]))
            rest = UnsafeRawBufferPointer(rebasing: rest[taken...])
            guard heldCount == 32 else { return }
            absorb(held.0, held.1, held.2, held.3)
            heldCount = 0
        }
        var at = 0
        while rest.count - at >= 32 {
            absorb(
                UInt64(littleEndian: rest.loadUnaligned(fromByteOffset: at, as: UInt64.self)),
                UInt64(littleEndian: rest.loadUnaligned(fromByteOffset: at + 8, as: UInt64.self)),
                UInt64(littleEndian: rest.loadUnaligned(fromByteOffset: at + 16, as: UInt64.self)),
                UInt64(littleEndian: rest.loadUnaligned(fromByteOffset: at + 24, as: UInt64.self)))
            at += 32
        }
        if at < rest.count { hold(UnsafeRawBufferPointer(rebasing: rest[at...])) }
    }

    private mutating func hold(_ bytes: UnsafeRawBufferPointer) {
        guard !bytes.isEmpty else { return }
        if heldCount == 0 { held = (0, 0, 0, 0) }
        withUnsafeMutableBytes(of: &held) { held in
            UnsafeMutableRawBufferPointer(rebasing: held[heldCount...]).copyMemory(from: bytes)
        }
        heldCount += bytes.count
    }

    @inline(__always)
    private mutating func absorb(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64) {
        lane1 = Self.round(lane1, a)
        lane2 = Self.round(lane2, b)
        lane3 = Self.round(lane3, c)
        lane4 = Self.round(lane4, d)
    }

    @inline(__always)
    private static func rotate(_ value: UInt64, _ by: UInt64) -> UInt64 { (value << by) | (value >> (64 - by)) }

    @inline(__always)
    private static func round(_ accumulator: UInt64, _ lane: UInt64) -> UInt64 {
        rotate(accumulator &+ lane &* prime2, 31) &* prime1
    }

    @inline(__always)
    private static func mergeRound(_ accumulator: UInt64, _ lane: UInt64) -> UInt64 {
        (accumulator ^ round(0, lane)) &* prime1 &+ prime4
    }

    /// The digest of everything added so far; more may be added afterwards.
    public var digest: UInt64 {
        var hash: UInt64
        if total >= 32 {
            hash =
                Self.rotate(lane1, 1) &+ Self.rotate(lane2, 7) &+ Self.rotate(lane3, 12) &+ Self.rotate(lane4, 18)
            hash = Self.mergeRound(hash, lane1)
            hash = Self.mergeRound(hash, lane2)
            hash = Self.mergeRound(hash, lane3)
            hash = Self.mergeRound(hash, lane4)
        } else {
            hash = seed &+ Self.prime5
        }
        hash = hash &+ total
        withUnsafeBytes(of: held) { held in
            var at = 0
            while heldCount - at >= 8 {
                let lane = UInt64(littleEndian: held.loadUnaligned(fromByteOffset: at, as: UInt64.self))
                hash = Self.rotate(hash ^ Self.round(0, lane), 27) &* Self.prime1 &+ Self.prime4
                at += 8
            }
            if heldCount - at >= 4 {
                let lane = UInt32(littleEndian: held.loadUnaligned(fromByteOffset: at, as: UInt32.self))
                hash = Self.rotate(hash ^ (UInt64(lane) &* Self.prime1), 23) &* Self.prime2 &+ Self.prime3
                at += 4
            }
            while at < heldCount {
                hash = Self.rotate(hash ^ (UInt64(held[at]) &* Self.prime5), 11) &* Self.prime1
                at += 1
            }
        }
        hash = (hash ^ (hash >> 33)) &* Self.prime2
        hash = (hash ^ (hash >> 29)) &* Self.prime3
        return hash ^ (hash >> 32)
    }
}
