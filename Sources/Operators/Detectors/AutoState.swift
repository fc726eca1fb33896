import Glibc
import Platform
import StreamEngine

/// What `auto` remembers of one key: see `AutoDetector` for the whole idea.
struct AutoState: DetectorState, BitwiseCopyable {
    /// Statistics that are judged.
    static let statistics = 6
    /// Values in a row each of them is about: their tails learn that much slower.
    static let lengths: InlineArray<6, Double> = [1, 1, 4, 16, 64, 8]
    /// Memory of levels and spreads, windows.
    static let memory = 300.0

    /// Values learnt.
    var count: UInt32 = 0
    /// The statistic that was least likely in the last window, and on which side.
    var statistic: UInt8 = 0
    var isAbove = false
    /// The stretches of day and week in which it began.
    var dayStart: UInt8 = 0
    var weekStart: UInt8 = 0
    /// What deviations are measured from: 0 the level, 1 the profile of the day, 2 of the week.
    var base: UInt8 = 0
    /// The stretches of day and week of the last value.
    var dayLast: UInt8 = 0
    var weekLast: UInt8 = 0
    /// Windows since the last value.
    var gap: UInt32 = 0
    /// Flagged windows in a row, short breaks included.
    var stretch: UInt32 = 0
    /// Windows of a stretch that looked usual again.
    var calm: UInt32 = 0
    /// Values after a long gap that are only looked at.
    var settling: UInt32 = 0
    /// Values that differed from the one before, up to 1000.
    var changes: UInt32 = 0
    /// The smallest step between two values lately: what the series counts in, if it counts.
    var quantum = 0.0
    /// When it began, ms.
    var firstMs: Int64 = 0
    /// What profiles are relative to.
    var origin = 0.0
    /// Levels and mean absolute deviations: without a profile, with that of the day, with that of the week.
    var levels = InlineArray<3, Double>(repeating: 0)
    var spreads = InlineArray<3, Double>(repeating: 0)
    /// Values these were learnt from.
    var seen = InlineArray<3, UInt32>(repeating: 0)
    /// Mean absolute error of the mixed forecast, over many and over few values.
    var error = 0.0
    var experts = AutoExperts()
    /// The last value; and in rings by `position` the last 16, relative to the origin, and the last standardised
    /// deviations, in twentieths, up to 6.
    var last = 0.0
    var recent = InlineArray<16, Float>(repeating: 0)
    var deviations = InlineArray<64, Int8>(repeating: 0)
    var errors = InlineArray<8, Float>(repeating: 0.8)
    var position: UInt32 = 0
    /// Mean size of the last surprises, with a memory of some 32: how calm it is.
    var calmness: Float = 0.8
    /// Usual windows from value to value: 1 but where values come more seldom than windows.
    var pace: Float = 1
    var repeats = RepeatRun()
    /// Excursions lately, each forgotten over some hundred values; and values since one.
    var excursions: Float = 0
    var sinceExcursion: UInt32 = 1000
    /// How far the level leapt when it was last adopted, and for how many values that is remembered.
    var leap = 0.0
    var leapLeft: UInt32 = 0
    /// Upper and lower tail of each statistic.
    var upper = InlineArray<6, TailModel>(repeating: TailModel())
    var lower = InlineArray<6, TailModel>(repeating: TailModel())
    var day = InlineArray<48, Float>(repeating: .nan)
    var week = InlineArray<168, Float>(repeating: .nan)

    init() {}

    func encode(to writer: inout ByteWriter) {
        for part in [count, gap, stretch, calm, settling, changes, position] { writer.write(part) }
        writer.write(statistic)
        writer.write(isAbove ? UInt8(1) : 0)
        writer.write(dayStart)
        writer.write(weekStart)
        writer.write(base)
        writer.write(dayLast)
        writer.write(weekLast)
        writer.write(firstMs)
        writer.write(origin)
        writer.write(quantum)
        for place in 0..<3 {
            writer.write(levels[place])
            writer.write(spreads[place])
            writer.write(seen[place])
        }
        writer.write(error)
        experts.encode(to: &writer)
        writer.write(last)
        for place in 0..<16 { writer.write(recent[place]) }
        for place in 0..<64 { writer.write(UInt8(bitPattern: deviations[place])) }
        for place in 0..<8 { writer.write(errors[place]) }
        writer.write(calmness)
        writer.write(pace)
        repeats.encode(to: &writer)
        writer.write(excursions)
        writer.write(sinceExcursion)
        writer.write(leap)
        writer.write(leapLeft)
        for place in 0..<Self.statistics {
            upper[place].encode(to: &writer)
            lower[place].encode(to: &writer)
        }
        for place in 0..<48 { writer.write(day[place]) }
        for place in 0..<168 { writer.write(week[place]) }
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        count = try reader.read()
        gap = try reader.read()
        stretch = try reader.read()
        calm = try reader.read()
        settling = try reader.read()
        changes = try reader.read()
        position = try reader.read()
        statistic = try reader.read()
        isAbove = try reader.read(UInt8.self) != 0
        dayStart = try reader.read()
        weekStart = try reader.read()
        base = try reader.read()
        dayLast = try reader.read()
        weekLast = try reader.read()
        firstMs = try reader.read()
        origin = try reader.readFinite("origin")
        quantum = try reader.readMagnitude("step")
        for place in 0..<3 {
            levels[place] = try reader.readFinite("level")
            spreads[place] = try reader.readMagnitude("spread")
            seen[place] = try reader.read()
        }
        error = try reader.readMagnitude("error")
        experts = try AutoExperts(from: &reader)
        last = try reader.readFinite("value")
        for place in 0..<16 { recent[place] = try reader.readFinite("value", limit: Float(3e38)) }
        for place in 0..<64 { deviations[place] = Int8(bitPattern: try reader.read(UInt8.self)) }
        for place in 0..<8 { errors[place] = try reader.readFinite("error", limit: Float(6)) }
        calmness = try reader.readFinite("surprise", limit: Float(6))
        pace = try reader.readFinite("pace", limit: Float(1e7))
        repeats = try RepeatRun(from: &reader)
        excursions = try reader.readFinite("excursions", limit: Float(1e4))
        sinceExcursion = try reader.read()
        leap = try reader.readFinite("leap")
        leapLeft = try reader.read()
        guard calmness >= 0, pace >= 1 else { throw DecodingFailure("a surprise of \(calmness), a pace of \(pace)") }
        for place in 0..<Self.statistics {
            upper[place] = try TailModel(from: &reader)
            lower[place] = try TailModel(from: &reader)
        }
        for place in 0..<48 { day[place] = try Self.readUsual(&reader) }
        for place in 0..<168 { week[place] = try Self.readUsual(&reader) }
    }

    /// A stretch of a profile: NaN where it is not known yet.
    private static func readUsual(_ reader: inout ByteReader) throws(DecodingFailure) -> Float {
        let value = Float(bitPattern: try reader.read(UInt32.self))
        guard !value.isInfinite else { throw DecodingFailure("a profile without bounds") }
        return value
    }
}
