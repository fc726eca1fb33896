import Glibc
import Platform
import StreamEngine

/// State of `quantile`: exact up to 32 values, then counts in buckets whose bounds grow by a constant factor (DDSketch:
/// Masson, Rim, Lee, VLDB 2019), so that a value read back is within 1 % of the true one, negative values too.
///
/// What it holds depends on the multiset of values only, never on their order or on how they were split and merged.
///
/// 16 bytes and 8 for each value or bucket. A sign has at most 4,096 buckets, enough for magnitudes that span 34 powers
/// of ten; beyond, the buckets nearest to zero are counted in the nearest that is kept. NaN is passed over unless
/// there is nothing else; zero and the infinities are exact.
public struct QuantileSketch: AggregateState {
    /// Values kept as they are.
    static let exactMax = 32
    /// Buckets of one sign.
    static let bucketsMax = 4096

    /// Exact: the values as `orderedBits`, in increasing order. Else: the buckets as key (18 bits) and count (46 bits),
    /// in increasing order of their values.
    private var entries: [UInt64] = []
    private var isExact = true
    private var sawNaN = false

    public init() {}

    // MARK: Keys

    /// A little under 1 %, so that the rounding of `log` and `exp` stays inside the promise.
    private static let accuracy = 0.0099
    private static let logGamma = log((1 + accuracy) / (1 - accuracy))
    private static let keyBits: UInt64 = 18
    private static let countBits: UInt64 = 46
    private static let countMask: UInt64 = (1 << 46) - 1
    /// The key of zero; keys below are negative values, above positive ones. 0 and the last key are the infinities.
    private static let zeroKey = 1 << 17
    private static let infinityKey = (1 << 18) - 1
    /// Added to a bucket's index so that it is positive: the smallest double has index -37,592.
    private static let indexShift = 40_000

    /// The key of a value that is no NaN.
    private static func key(of value: Double) -> Int {
        if value == 0 { return zeroKey }
        if value.isInfinite { return value < 0 ? 0 : infinityKey }
        let index = Int((log(abs(value)) / logGamma).rounded(.up)) + indexShift
        return value < 0 ? zeroKey - index : zeroKey + index
    }

    /// The value a bucket stands for: within 1 % of every value in it.
    private static func value(ofKey key: Int) -> Double {
        if key == zeroKey { return 0 }
        if key == 0 { return -.infinity }
        if key == infinityKey { return .infinity }
        let index = abs(key - zeroKey) - indexShift
        // 2γ^i / (γ + 1), in logarithms so that nothing overflows on the way.
        let magnitude = exp(Double(index) * logGamma + log(2 / (exp(logGamma) + 1)))
        let finite = min(max(magnitude, .leastNonzeroMagnitude), .greatestFiniteMagnitude)
        return key < zeroKey ? -finite : finite
    }

    /// Bits whose unsigned order is the order of the values.
    private static func orderedBits(_ value: Double) -> UInt64 {
        let bits = (value == 0 ? 0.0 : value).bitPattern
        return bits >> 63 == 1 ? ~bits : bits | 1 << 63
    }

    private static func value(orderedBits bits: UInt64) -> Double {
        Double(bitPattern: bits >> 63 == 1 ? bits & ~(1 << 63) : ~bits)
    }

    /// The first place whose entry is not below `wanted`.
    private func place(of wanted: UInt64) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle] < wanted { low = middle + 1 } else { high = middle }
        }
        return low
    }

    // MARK: Update and merge

    public mutating func update(_ value: Double, at timestampMs: Int64) {
        if value.isNaN {
            sawNaN = true
        } else if isExact {
            let bits = Self.orderedBits(value)
            entries.insert(bits, at: place(of: bits))
            if entries.count > Self.exactMax { makeBuckets() }
        } else {
            add(1, toKey: Self.key(of: value))
            collapse()
        }
    }

    public mutating func merge(_ later: Self) {
        sawNaN = sawNaN || later.sawNaN
        if later.isExact {
            for bits in later.entries { update(Self.value(orderedBits: bits), at: 0) }
            return
        }
        if isExact { makeBuckets() }
        for entry in later.entries { add(entry & Self.countMask, toKey: Int(entry >> Self.countBits)) }
        collapse()
    }

    private mutating func makeBuckets() {
        let values = entries
        entries = []
        isExact = false
        for bits in values { add(1, toKey: Self.key(of: Self.value(orderedBits: bits))) }
    }

    private mutating func add(_ count: UInt64, toKey key: Int) {
        let head = UInt64(truncatingIfNeeded: key) << Self.countBits
        let at = place(of: head)
        if at < entries.count, entries[at] >> Self.countBits == UInt64(truncatingIfNeeded: key) {
            // 7e13 rows fill a bucket; more change no quantile.
            entries[at] = head | min((entries[at] & Self.countMask) + count, Self.countMask)
        } else {
            entries.insert(head | count, at: at)
        }
    }

    /// Keeps the 4,096 buckets of each sign that are farthest from zero, and counts the others in the nearest of these.
    /// The kept ones are the farthest of all values ever seen, so order and merges do not show.
    private mutating func collapse() {
        guard entries.count > Self.bucketsMax else { return }
        let positive = place(of: UInt64(Self.zeroKey + 1) << Self.countBits)
        let surplusPositive = entries.count - positive - Self.bucketsMax
        if surplusPositive > 0 { fold(positive..<(positive + surplusPositive), into: positive + surplusPositive) }
        let zero = place(of: UInt64(Self.zeroKey) << Self.countBits)
        if zero > Self.bucketsMax { fold(Self.bucketsMax..<zero, into: Self.bucketsMax - 1) }
    }

    private mutating func fold(_ range: Range<Int>, into kept: Int) {
        let count = entries[range].reduce(entries[kept] & Self.countMask) {
            min($0 + ($1 & Self.countMask), Self.countMask)
        }
        entries[kept] = entries[kept] & ~Self.countMask | count
        entries.removeSubrange(range)
    }

    // MARK: Result

    /// The value at rank q·(n-1), interpolated between the ranks below and above; nil without a row. `q` in 0...1.
    /// O(buckets).
    public func quantile(_ q: Double) -> Double? {
        guard !entries.isEmpty else { return sawNaN ? .nan : nil }
        let count = isExact ? UInt64(entries.count) : entries.reduce(0) { $0 + ($1 & Self.countMask) }
        let rank = q * Double(count - 1)
        let below = min(UInt64(rank.rounded(.down)), count - 1)
        let above = min(UInt64(rank.rounded(.up)), count - 1)
        let (low, high) = (value(atRank: below), value(atRank: above))
        guard low != high else { return low }
        let weight = rank - Double(below)
        // Between infinities there is nothing to interpolate: the nearer rank.
        guard low.isFinite, high.isFinite else { return weight < 0.5 ? low : high }
        return low * (1 - weight) + high * weight
    }

    private func value(atRank rank: UInt64) -> Double {
        if isExact { return Self.value(orderedBits: entries[Int(rank)]) }
        var seen: UInt64 = 0
        for entry in entries {
            seen += entry & Self.countMask
            if rank < seen { return Self.value(ofKey: Int(entry >> Self.countBits)) }
        }
        return Self.value(ofKey: Int((entries.last ?? 0) >> Self.countBits))
    }

    // MARK: Encoding

    // flags (1 exact, 2 NaN seen), number of entries, entries (exact: 8 bytes each; else key's step and count as
    // varints).
    public func encode(to writer: inout ByteWriter) {
        writer.write(UInt8((isExact ? 1 : 0) | (sawNaN ? 2 : 0)))
        writer.writeVarint(UInt64(entries.count))
        var previous: UInt64 = 0
        for entry in entries {
            if isExact {
                writer.write(entry)
            } else {
                let key = entry >> Self.countBits
                writer.writeVarint(key - previous)
                writer.writeVarint(entry & Self.countMask)
                previous = key
            }
        }
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        let flags = try reader.read(UInt8.self)
        guard flags < 4 else { throw DecodingFailure("a quantile sketch with unknown flags \(flags)") }
        isExact = flags & 1 != 0
        sawNaN = flags & 2 != 0
        let count = try reader.readVarint()
        guard count <= UInt64(isExact ? Self.exactMax : 2 * Self.bucketsMax + 3) else {
            throw DecodingFailure("a quantile sketch of \(count) entries")
        }
        var key: UInt64 = 0
        for index in 0..<count {
            let entry: UInt64
            if isExact {
                entry = try reader.read(UInt64.self)
                guard index == 0 || entry >= entries[entries.count - 1], !Self.value(orderedBits: entry).isNaN else {
                    throw DecodingFailure("values of a quantile sketch out of order")
                }
            } else {
                let step = try reader.readVarint()
                let weight = try reader.readVarint()
                guard step <= UInt64(Self.infinityKey), index == 0 || step > 0 else {
                    throw DecodingFailure("buckets of a quantile sketch out of order")
                }
                key += step
                guard key <= UInt64(Self.infinityKey), (1...Self.countMask).contains(weight) else {
                    throw DecodingFailure("a bucket of a quantile sketch that cannot be")
                }
                entry = key << Self.countBits | weight
            }
            entries.append(entry)
        }
    }

    public var heapBytes: Int { entries.capacity * MemoryLayout<UInt64>.stride }
}
