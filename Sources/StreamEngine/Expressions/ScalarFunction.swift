/// The functions an expression may call (JOBS.md "Expressions"). A closed set: adding one is a case here, its types in
/// `TypeChecker`, its scalar meaning in `ScalarEvaluation` and, for numbers, its loop in `VectorProgram`.
public enum ScalarFunction: String, Sendable, Hashable, CaseIterable {
    case abs, floor, ceil, round, sqrt, ln, log2, log10, exp, min, max
    case coalesce
    case `if`
    case number, lower, upper, contains
    case startsWith = "starts_with"
    case endsWith = "ends_with"
    case extract

    /// How it is called, for messages and the reference.
    public var signature: String {
        switch self {
        case .abs, .floor, .ceil, .round, .sqrt, .ln, .log2, .log10, .exp: "\(rawValue)(x)"
        case .min, .max: "\(rawValue)(x, y, …)"
        case .coalesce: "coalesce(x, y, …)"
        case .if: "if(condition, a, b)"
        case .number: "number(x)"
        case .lower, .upper: "\(rawValue)(s)"
        case .contains, .startsWith, .endsWith: "\(rawValue)(s, part)"
        case .extract: "extract(s, regex)"
        }
    }

    /// One line for the reference.
    public var summary: String {
        switch self {
        case .abs: "absolute value"
        case .floor: "the largest integer not above x"
        case .ceil: "the smallest integer not below x"
        case .round: "the nearest integer; halves go up, as in PromQL"
        case .sqrt: "square root"
        case .ln: "natural logarithm"
        case .log2: "logarithm to base 2"
        case .log10: "logarithm to base 10"
        case .exp: "e to the power x"
        case .min: "the smallest of its arguments; nulls are passed over, NaN too unless there is nothing else"
        case .max: "the largest of its arguments; nulls are passed over, NaN too unless there is nothing else"
        case .coalesce: "the first argument that is not null"
        case .if: "a where the condition is true, else b"
        case .number: "the number a text spells, null where it spells none"
        case .lower: "the text in lower case"
        case .upper: "the text in upper case"
        case .contains: "whether part occurs in s"
        case .startsWith: "whether s begins with part"
        case .endsWith: "whether s ends with part"
        case .extract: "the regex's first group where it matches in s, else \"\""
        }
    }

    /// How many arguments it takes.
    var argumentCount: ClosedRange<Int> {
        switch self {
        case .abs, .floor, .ceil, .round, .sqrt, .ln, .log2, .log10, .exp, .number, .lower, .upper: 1...1
        case .min, .max, .coalesce: 2...Int.max
        case .if: 3...3
        case .contains, .startsWith, .endsWith, .extract: 2...2
        }
    }
}
