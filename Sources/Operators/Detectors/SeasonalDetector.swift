import Platform
import StreamEngine

/// `seasonal`: the distance from what is usual at this time of the day or week (UTC).
///
/// Finds what is wrong for the hour: quiet at noon, load at night; misses what a period's stretch of half an hour (of a
/// week: an hour) hides, and judges nothing before a whole period has been seen. A period has 48 stretches, a week 168;
/// each remembers mean and mean deviation, in which each time round counts for a third; what is off for a whole period
/// is the new usual. 432 bytes a key for a day, 1,392 for a week.
public struct SeasonalDetector: DetectorFactory {
    public let name = "seasonal"
    public let summary = "the distance from what is usual at this time of day or week"
    public let defaultWarmup = 30
    public let parameters: [OptionKey] = [
        .defaulted(
            "period", .duration(60_000...604_800_000), .duration(86_400_000), "1d or 1w: after which it repeats"),
        .defaulted("sigmas", .number(0.1...1e6), .number(4), "flags beyond this many deviations"),
    ]

    /// The one factory there is.
    public init() {}

    public func bytesPerKey(_ options: CheckedOptions, _ setting: DetectorSetting) -> Int {
        let stretches = SeasonalModel.stretches(periodMs: options.requiredDurationMs("period"))
        return MemoryLayout<SeasonalModel.State>.stride + 2 * stretches * MemoryLayout<Float>.stride
    }

    public func check(_ options: CheckedOptions) -> [Diagnostic] {
        let periodMs = options.requiredDurationMs("period")
        guard periodMs % Int64(SeasonalModel.stretches(periodMs: periodMs)) != 0 else { return [] }
        return [
            Diagnostic("`period` is a multiple of 48 ms, as 1d and 1w are", path: options.path("period"))
        ]
    }

    public func make(_ options: CheckedOptions, _ setting: DetectorSetting) -> any Detector {
        KeyedDetector(
            SeasonalModel(
                column: setting.column, sigmas: options.number("sigmas") ?? 4,
                periodMs: options.requiredDurationMs("period"), slideMs: max(setting.slideMs, 1)))
    }
}

/// The profiles of `seasonal`.
struct SeasonalModel: DetectorModel {
    struct State: DetectorState {
        /// Means by stretch, relative to the origin, then mean deviations; empty before the first value.
        var profile: [Float] = []
        var firstMs: Int64 = 0
        var origin = 0.0
        /// What is left over lately.
        var level = 0.0
        /// Mean absolute deviation over all stretches.
        var spread = 0.0
        var judged: UInt32 = 0

        init() {}

        var heapBytes: Int { profile.capacity * MemoryLayout<Float>.stride }

        func encode(to writer: inout ByteWriter) {
            writer.write(UInt16(profile.count))
            for part in profile { writer.write(part) }
            writer.write(firstMs)
            writer.write(origin)
            writer.write(level)
            writer.write(spread)
            writer.write(judged)
        }

        init(from reader: inout ByteReader) throws(DecodingFailure) {
            let count: UInt16 = try reader.read()
            guard [0, 96, 336].contains(count), reader.remaining >= Int(count) * 4 else {
                throw DecodingFailure("a profile of \(count) numbers")
            }
            profile.reserveCapacity(Int(count))
            for _ in 0..<count {
                let part = Float(bitPattern: try reader.read(UInt32.self))
                guard !part.isInfinite else { throw DecodingFailure("a profile without bounds") }
                profile.append(part)
            }
            firstMs = try reader.read()
            origin = try reader.readFinite("origin")
            level = try reader.readFinite("level")
            spread = try reader.readMagnitude("spread")
            judged = try reader.read()
        }
    }

    let column: String
    let sigmas: Double
    let periodMs: Int64
    let slideMs: Int64

    static func stretches(periodMs: Int64) -> Int {
        periodMs == TimeProfile.weekMs ? TimeProfile.weekStretches : TimeProfile.dayStretches
    }

    func makeState() -> State { State() }

    func judge(_ tick: DetectorTick, _ state: inout State) -> DetectorVerdict {
        guard tick.isPresent, let value = Measurable.clamp(tick.value) else { return DetectorVerdict() }
        let timeMs = tick.windowEndMs &- 1
        let count = Self.stretches(periodMs: periodMs)
        if state.profile.count != 2 * count {
            state = State()
            state.profile = [Float](repeating: .nan, count: 2 * count)
            state.firstMs = timeMs
            state.origin = value
        }
        let elapsedMs = max(0, EventTime.difference(timeMs, state.firstMs))
        let place = TimeProfile.place(timeMs, periodMs: periodMs, stretches: count)
        let relative = value - state.origin
        // A profile may be a curve or have steps: whichever of the two readings is nearer is what is usual.
        let curve = TimeProfile.value(state.profile.span.extracting(0..<count), place, seam: -1)
        let step = Double(state.profile[place.index])
        let rest = relative - state.level
        let usual = abs(rest - curve) <= abs(rest - step) ? curve : step
        var verdict = DetectorVerdict()
        var widest = Double.infinity
        if usual.isFinite, elapsedMs >= periodMs {
            let distance = relative - usual - state.level
            let own = Double(state.profile[count + place.index])
            let deviation = max(
                1.2533 * (own.isFinite ? max(own, state.spread / 2) : state.spread), 1e-6 * abs(value), 1e-12)
            let expected = state.origin + usual + state.level
            let width = sigmas * deviation
            // The first values on top of a profile say how good it is.
            let isFlagged = state.judged >= 30 && abs(distance) > width
            verdict = DetectorVerdict(
                score: abs(distance) / (abs(distance) + width), isFlagged: isFlagged, expected: expected,
                lower: expected - width, upper: expected + width)
            widest = state.judged >= 30 ? width : .infinity
            learn(distance, widest: widest, place.index, count, &state)
        }
        let left = relative - state.level
        var means = state.profile.mutableSpan
        TimeProfile.learn(
            left, &means, place, periodMs: periodMs, slideMs: slideMs, elapsedMs: elapsedMs,
            seam: -1, level: 0, widest: widest, stretches: count)
        return verdict
    }

    private func learn(_ distance: Double, widest: Double, _ index: Int, _ count: Int, _ state: inout State) {
        let learnt = min(max(distance, -widest), widest)
        state.judged = min(state.judged + 1, 1_000_000)
        let windows = Double(max(1, periodMs / slideMs))
        let rate = max(1 / Double(state.judged), 1 / windows)
        state.spread += (abs(learnt) - state.spread) * rate
        // A shift is adopted in about a period.
        state.level += distance / windows
        let known = Double(state.profile[count + index])
        let ownRate = 0.3 / max(1, windows / Double(count))
        let own = known.isFinite ? known + (abs(learnt) - known) * ownRate : max(abs(learnt), state.spread)
        state.profile[count + index] = Float(min(own, 3e38))
    }

    func reason(_ tick: DetectorTick, _ verdict: DetectorVerdict, _ state: State) -> String {
        let isAbove = tick.value > verdict.expected
        return "\(column) \(ReasonText.number(tick.value)) is \(isAbove ? "above" : "below") "
            + "\(ReasonText.number(isAbove ? verdict.upper : verdict.lower)), the \(isAbove ? "highest" : "lowest") "
            + "expected for \(TimeProfile.name(tick.windowEndMs &- 1, periodMs: periodMs))"
    }
}
