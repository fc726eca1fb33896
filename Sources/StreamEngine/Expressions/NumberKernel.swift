import Glibc

/// What each operation does with numbers: one definition for rows and for columns.
enum NumberKernel {
    @inline(__always)
    static func apply(_ function: CheckedNode.NumberFunction, _ x: Double) -> Double {
        switch function {
        case .identity: x
        case .negate: -x
        case .abs: abs(x)
        case .floor: floor(x)
        case .ceil: ceil(x)
        case .round: round(x)
        case .sqrt: x.squareRoot()
        case .ln: log(x)
        case .log2: log2(x)
        case .log10: log10(x)
        case .exp: exp(x)
        }
    }

    /// The nearest integer, halves up: PromQL's `round`, but exact where adding 0.5 would round.
    @inline(__always)
    static func round(_ x: Double) -> Double {
        let below = floor(x)
        return x - below >= 0.5 ? below + 1 : below
    }

    /// IEEE 754; `%` is C's `fmod`, with the dividend's sign.
    @inline(__always)
    static func apply(_ operation: CheckedNode.Arithmetic, _ a: Double, _ b: Double) -> Double {
        switch operation {
        case .add: a + b
        case .subtract: a - b
        case .multiply: a * b
        case .divide: a / b
        case .remainder: fmod(a, b)
        }
    }

    /// With NaN false, but for `!=`.
    @inline(__always)
    static func apply(_ comparison: CheckedNode.Comparison, _ a: Double, _ b: Double) -> Bool {
        switch comparison {
        case .equal: a == b
        case .notEqual: a != b
        case .less: a < b
        case .lessOrEqual: a <= b
        case .greater: a > b
        case .greaterOrEqual: a >= b
        }
    }

    /// The smaller; NaN only where both are.
    @inline(__always)
    static func least(_ a: Double, _ b: Double) -> Double { a.isNaN ? b : (b < a ? b : a) }

    /// The larger; NaN only where both are.
    @inline(__always)
    static func greatest(_ a: Double, _ b: Double) -> Double { a.isNaN ? b : (b > a ? b : a) }
}

/// How a null number stands in a column of doubles: a NaN of its own bits, which no operation makes.
public enum NullNumber {
    /// "null" in a quiet NaN's payload.
    public static let bits: UInt64 = 0x7ff8_0000_6e75_6c6c
    /// The null.
    public static var value: Double { Double(bitPattern: bits) }

    /// Whether a double stands for null.
    @inlinable
    @inline(__always)
    public static func isNull(_ value: Double) -> Bool { value.bitPattern == bits }
}
