import Platform
import StreamEngine

/// What a value usually is at each time of a day or a week (UTC), by equal stretches of it.
///
/// Values are kept relative to an origin, as floats. The first time round a stretch takes the mean of its windows,
/// later each time round counts for a third of it, so that a change of habits is adopted in a few days.
enum TimeProfile {
    static let dayMs: Int64 = 86_400_000
    static let dayStretches = 48
    static let weekMs: Int64 = 604_800_000
    static let weekStretches = 168
    /// 1970-01-01 was a Thursday; weeks begin on Monday.
    static let mondayMs: Int64 = 4 * dayMs

    /// The stretch a time lies in, and how far into it, 0..<1.
    @inline(__always)
    static func place(_ timeMs: Int64, periodMs: Int64, stretches: Int) -> (index: Int, part: Double) {
        let since = periodMs == weekMs ? timeMs &- mondayMs : timeMs
        let inPeriod = since - EventTime.floorDivide(since, periodMs) * periodMs
        let stretchMs = periodMs / Int64(stretches)
        return (Int(inPeriod / stretchMs), Double(inPeriod % stretchMs) / Double(stretchMs))
    }

    /// What is usual at a time, between the middles of two stretches; NaN where nothing is known. Before the stretch
    /// `seam`, in which the series began, lies one that was learnt a whole round later: nothing is between the two.
    @inline(__always)
    static func value(_ profile: Span<Float>, _ place: (index: Int, part: Double), seam: Int) -> Double {
        let here = Double(profile[place.index])
        guard here.isFinite else { return .nan }
        let isLate = place.part >= 0.5
        let count = profile.count
        let beside = isLate ? (place.index + 1) % count : (place.index + count - 1) % count
        guard (isLate ? beside : place.index) != seam else { return here }
        let neighbour = Double(profile[beside])
        guard neighbour.isFinite else { return here }
        let weight = isLate ? place.part - 0.5 : 0.5 - place.part
        return here + weight * (neighbour - here)
    }

    /// Learns a value, relative to the origin, `elapsedMs` after the first one. `level`: how far above the profile values
    /// lie lately; `widest`: how far from there it may count.
    @inline(__always)
    static func learn(
        _ value: Double, _ profile: inout MutableSpan<Float>, _ place: (index: Int, part: Double), periodMs: Int64,
        slideMs: Int64, elapsedMs: Int64, seam: Int, level: Double, widest: Double, stretches: Int
    ) {
        let known = Double(profile[place.index])
        guard known.isFinite else {
            profile[place.index] = clamp(value)
            return
        }
        let stretchMs = Double(periodMs / Int64(stretches))
        let windows = max(1, stretchMs / Double(slideMs))
        // A round that ends in the stretch it began in goes on there as a second one.
        if elapsedMs < periodMs, place.index != seam || elapsedMs < periodMs / 2 {
            let here = max(1, (place.part * windows).rounded(.down) + 1)
            profile[place.index] = clamp(known + (value - known) / here)
        } else {
            let rounds = Double(max(elapsedMs / periodMs, 1))
            let move = min(max(value - level - known, -widest), widest)
            profile[place.index] = clamp(known + move * max(0.3, 1 / (rounds + 1)) / windows)
        }
    }

    /// How far a profile falls from the end of a round, before the stretch `seam`, to the beginning of the next: what a
    /// series that grows leaves there. NaN where it is not known.
    static func fall(_ profile: Span<Float>, seam: Int) -> Double {
        let count = profile.count
        func at(_ place: Int) -> Double { Double(profile[(seam + place + count) % count]) }
        // Both sides are drawn out to the moment between them.
        return at(-1) + (at(-1) - at(-2)) / 2 - (at(0) - (at(1) - at(0)) / 2)
    }

    /// What people call the stretch a time lies in: `09:00`, `Mondays 09:00`.
    static func name(_ timeMs: Int64, periodMs: Int64) -> String {
        let inDay = timeMs - EventTime.floorDivide(timeMs, dayMs) * dayMs
        let half = inDay / 1_800_000
        let hour = half / 2
        let isWeek = periodMs == weekMs
        let text = "\(hour < 10 ? "0" : "")\(hour):\(half % 2 == 0 || isWeek ? "00" : "30")"
        guard isWeek else { return text }
        let days = ["Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays"]
        let day = EventTime.floorDivide(timeMs &- mondayMs, dayMs)
        return "\(days[Int(((day % 7) + 7) % 7)]) \(text)"
    }

    private static func clamp(_ value: Double) -> Float { Float(min(max(value, -3e38), 3e38)) }
}
