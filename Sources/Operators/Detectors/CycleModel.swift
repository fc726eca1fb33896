import Glibc
import Platform

/// A cycle of any length from 4 to 200 values, found in the last 256: what jobs, collections of garbage and probes cause,
/// whose period is neither a day nor a week.
///
/// Each value tests one length, by the mean distance between values that far apart (the average magnitude difference
/// function: M. J. Ross et al., IEEE Trans. ASSP 1974). A length holds if that is far less than the distance to the
/// value before and to the mean; a longer one must be better than a shorter. Values are kept standardised in a byte
/// each. 280 bytes.
struct CycleModel: BitwiseCopyable, Sendable {
    private static let shortest: UInt8 = 4
    private static let longest: UInt8 = 200
    /// What the logarithm of a standardised value is multiplied by to be kept: to 4 %, up to 190.
    private static let unit = 24.0
    /// A length holds if distances at it are less than this share of others.
    private static let share: Float = 0.6

    private var ring = InlineArray<256, Int8>(repeating: 0)
    /// Where the next value goes.
    private var position: UInt8 = 0
    /// Values held, up to 256.
    private var count: UInt16 = 0
    private var candidate = Self.shortest
    /// The length that holds; 0: none.
    private var length: UInt8 = 0
    /// Mean distance at it, from value to value, and from the mean, in units; and the mean.
    private var distance: Float = 0
    private var steps: Float = 0
    private var spread: Float = 0
    private var mean: Float = 0
    /// Values since the length was found, up to 255.
    private(set) var age: UInt8 = 0

    init() {}

    /// Forgets what it holds: after a gap nothing is in its place.
    mutating func reset() { self = CycleModel() }

    /// The standardised value that is due; NaN where no cycle is known.
    var forecast: Double {
        guard length > 0 else { return .nan }
        let kept = Double(ring[Int(position &- length)]) / Self.unit
        return kept < 0 ? 1 - exp(-kept) : exp(kept) - 1
    }

    /// Takes in the next standardised value.
    mutating func learn(_ standard: Double) {
        let size = min(Self.unit * log(1 + abs(standard)), 127)
        let value = Int8((standard < 0 ? -size : size).rounded())
        let rate = 1 / min(Float(count) + 1, 128)
        steps += (abs(Float(value) - Float(ring[Int(position &- 1)])) - steps) * rate
        mean += (Float(value) - mean) * rate
        spread += (abs(Float(value) - mean) - spread) * rate
        ring[Int(position)] = value
        position &+= 1
        count = min(count + 1, 256)
        age = length == 0 ? 0 : age < 255 ? age + 1 : 255
        test()
    }

    /// Tests one length.
    private mutating func test() {
        let tested = candidate
        // Two and a half times round, or what there is room for.
        guard Int(count) >= min(Int(tested) * 5 / 2, 256) else {
            candidate = Self.shortest
            return
        }
        candidate = tested < Self.longest ? tested + 1 : Self.shortest
        let pairs = Int(count) - Int(tested)
        var sum = 0
        var place = position &- 1
        for _ in 0..<pairs {
            sum &+= abs(Int(ring[Int(place)]) &- Int(ring[Int(place &- tested)]))
            place &-= 1
        }
        let found = Float(sum) / Float(pairs)
        let most = Self.share * min(steps, spread)
        if tested == length {
            distance = found
            // It must be worse than what would be taken for one to be given up.
            if found > 1.3 * most { length = 0 }
        } else if found < most, length == 0 || found < (tested < length ? 1.05 : 0.8) * distance {
            length = tested
            distance = found
            age = 0
        }
    }

    func encode(to writer: inout ByteWriter) {
        for place in 0..<256 { writer.write(UInt8(bitPattern: ring[place])) }
        writer.write(position)
        writer.write(count)
        writer.write(candidate)
        writer.write(length)
        for part in [distance, steps, spread, mean] { writer.write(part) }
        writer.write(age)
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        for place in 0..<256 { ring[place] = Int8(bitPattern: try reader.read(UInt8.self)) }
        position = try reader.read()
        count = try reader.read()
        candidate = try reader.read()
        length = try reader.read()
        distance = try reader.readFinite("distance", limit: Float(256))
        steps = try reader.readFinite("distance", limit: Float(256))
        spread = try reader.readFinite("distance", limit: Float(256))
        mean = try reader.readFinite("mean", limit: Float(128))
        age = try reader.read()
        guard count <= 256, (Self.shortest...Self.longest).contains(candidate),
            length == 0 || (Self.shortest...Self.longest).contains(length)
        else { throw DecodingFailure("a cycle of \(length) in \(count) values") }
    }
}
