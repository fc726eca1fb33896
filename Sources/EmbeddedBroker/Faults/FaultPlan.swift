/// The faults in force. Confined to the broker's loop; `BrokerFaults` is its face for other threads.
struct FaultPlan {
    /// What happens to a request.
    enum Action: Equatable, Sendable {
        /// It is answered with this error and not applied.
        case error(ErrorCode)
        /// Its connection is closed and it is not applied.
        case drop
        /// It is applied that many milliseconds later.
        case delay(Int64)
        /// It is applied, and its connection closed without the answer.
        case loseResponse
        /// The broker stops as by `kill -9` before it is applied.
        case crash
    }

    /// A fault: for which requests, how many of them, how often.
    struct Rule {
        /// The API key; nil: all.
        var key: Int16?
        var action: Action
        /// Requests it still hits.
        var left: Int
        /// Requests it lets pass first.
        var skip = 0
        /// How likely it hits each request, 0 to 1; drawn from the seed.
        var probability = 1.0
    }

    private var rules: [Rule] = []
    private var random: SplitMix64
    /// Requests hit so far; a test whose fault never struck should fail.
    private(set) var hits = 0

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    /// Puts a fault in force behind the others; the first that hits a request decides.
    mutating func add(_ rule: Rule) { rules.append(rule) }

    /// Ends all faults.
    mutating func clear() { rules = [] }

    /// What happens to a request of this key; nil: nothing.
    mutating func next(for key: Int16) -> Action? {
        guard !rules.isEmpty else { return nil }
        for index in rules.indices where rules[index].key == nil || rules[index].key == key {
            if rules[index].left == 0 { continue }
            if rules[index].skip > 0 {
                rules[index].skip -= 1
                continue
            }
            if rules[index].probability < 1, random.unit() >= rules[index].probability { continue }
            rules[index].left -= 1
            hits += 1
            let action = rules[index].action
            if rules[index].left == 0 { rules.remove(at: index) }
            return action
        }
        return nil
    }
}

/// A small seeded generator (Steele, Lea and Flood, 2014): the same seed gives the same faults and ids.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    /// A number in [0, 1).
    mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// A random id.
    mutating func uuid() -> Uuid { Uuid(high: next() | 1, low: next()) }
}
