import Glibc
import Platform
import StreamEngine

/// State of `approx_distinct`: the hashes themselves up to 256 of them (exact), then HyperLogLog with 8,192 registers
/// (Flajolet et al. 2007), read with Ertl's improved estimator (arXiv:1702.01284, algorithm 6): standard error 1.15 %.
///
/// What it holds depends on the set of values only, never on their order or on how they were split and merged.
/// 16 bytes and 8 for each hash, at most 2 KiB; then 8 KiB.
public struct DistinctSketch: AggregateState, TextAggregateState {
    static let hashesMax = 256
    private static let precision: UInt64 = 13
    private static let registerCount = 1 << 13
    /// The largest register: 51 hash bits that are all zero, and one.
    private static let rankMax: UInt8 = 52

    /// In increasing order, each once; empty once there are registers.
    private var hashes: [UInt64] = []
    /// Empty while the hashes are kept.
    private var registers: [UInt8] = []

    public init() {}

    public mutating func update(_ value: Double, at timestampMs: Int64) {
        // One zero, one NaN.
        insert(Self.mix((value == 0 ? 0.0 : value.isNaN ? .nan : value).bitPattern))
    }

    public mutating func update(_ text: ByteString, at timestampMs: Int64) { insert(XXH64.hash(text.bytes)) }

    /// A bijection of 64 bits in which every input bit moves every output bit (splitmix64, S. Vigna).
    private static func mix(_ bits: UInt64) -> UInt64 {
        var z = bits &+ 0x9e37_79b9_7f4a_7c15
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }

    private mutating func insert(_ hash: UInt64) {
        guard registers.isEmpty else { return raise(hash) }
        var low = 0
        var high = hashes.count
        while low < high {
            let middle = (low + high) / 2
            if hashes[middle] < hash { low = middle + 1 } else { high = middle }
        }
        if low < hashes.count, hashes[low] == hash { return }
        hashes.insert(hash, at: low)
        if hashes.count > Self.hashesMax { makeRegisters() }
    }

    private mutating func makeRegisters() {
        registers = [UInt8](repeating: 0, count: Self.registerCount)
        for hash in hashes { raise(hash) }
        hashes = []
    }

    private mutating func raise(_ hash: UInt64) {
        let index = Int(truncatingIfNeeded: hash >> (64 - Self.precision))
        let rest = hash << Self.precision
        let rank = rest == 0 ? Self.rankMax : UInt8(truncatingIfNeeded: rest.leadingZeroBitCount + 1)
        registers[index] = max(registers[index], rank)
    }

    public mutating func merge(_ later: Self) {
        if later.registers.isEmpty {
            for hash in later.hashes { insert(hash) }
            return
        }
        if registers.isEmpty { makeRegisters() }
        for index in registers.indices { registers[index] = max(registers[index], later.registers[index]) }
    }

    /// The number of distinct values: exact up to 256.
    public var estimate: Int64 {
        guard !registers.isEmpty else { return Int64(hashes.count) }
        let m = Double(Self.registerCount)
        var histogram = [Double](repeating: 0, count: Int(Self.rankMax) + 1)
        for register in registers { histogram[Int(register)] += 1 }
        var z = m * Self.tau(1 - histogram[Int(Self.rankMax)] / m)
        for rank in stride(from: Int(Self.rankMax) - 1, through: 1, by: -1) { z = 0.5 * (z + histogram[rank]) }
        z += m * Self.sigma(histogram[0] / m)
        return Int64((m * m / (2 * log(2.0) * z)).rounded())
    }

    private static func sigma(_ share: Double) -> Double {
        var (x, y, z) = (share, 1.0, share)
        while true {
            x *= x
            let next = z + x * y
            if next == z { return z }
            z = next
            y += y
        }
    }

    private static func tau(_ share: Double) -> Double {
        if share == 0 || share == 1 { return 0 }
        var (x, y, z) = (share, 1.0, 1 - share)
        while true {
            x = x.squareRoot()
            y *= 0.5
            let next = z - (1 - x) * (1 - x) * y
            if next == z { return z / 3 }
            z = next
        }
    }

    // The number of hashes and the hashes in order; or 257 and the registers.
    public func encode(to writer: inout ByteWriter) {
        writer.writeVarint(registers.isEmpty ? UInt64(hashes.count) : UInt64(Self.hashesMax) + 1)
        for hash in hashes { writer.write(hash) }
        for register in registers { writer.write(register) }
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        let count = try reader.readVarint()
        guard count <= UInt64(Self.hashesMax) + 1 else { throw DecodingFailure("a distinct sketch of \(count) hashes") }
        guard count <= UInt64(Self.hashesMax) else {
            for _ in 0..<Self.registerCount {
                let register = try reader.read(UInt8.self)
                guard register <= Self.rankMax else {
                    throw DecodingFailure("a register of a distinct sketch above 52")
                }
                registers.append(register)
            }
            // Registers come from more than 256 hashes, so one is raised; all zero would have no estimate.
            guard registers.contains(where: { $0 > 0 }) else {
                throw DecodingFailure("a distinct sketch of empty registers")
            }
            return
        }
        for index in 0..<count {
            let hash = try reader.read(UInt64.self)
            guard index == 0 || hash > hashes[hashes.count - 1] else {
                throw DecodingFailure("hashes of a distinct sketch out of order")
            }
            hashes.append(hash)
        }
    }

    public var heapBytes: Int { hashes.capacity * MemoryLayout<UInt64>.stride + registers.capacity }
}
