import Operators
import TestSupport
import Testing

@testable import StreamEngine

/// What users feed by mistake, or cannot help: every detector against every such series, as incidents. No crash, no score that
/// is none, and no flood: whoever is woken up is woken up a few times, not every minute.
@Suite struct FloodTests {
    struct Story: CustomTestStringConvertible, Sendable {
        let name: String
        let value: @Sendable (Int, inout SeededRandom) -> Double?
        var testDescription: String { name }
    }

    static let windows = 600
    static let stories: [Story] = [
        Story(name: "constant") { _, _ in 42 },
        Story(name: "all NaN") { _, _ in .nan },
        Story(name: "one value") { window, _ in window == 0 ? 3 : nil },
        Story(name: "integers") { _, random in Double(random.below(4)) },
        Story(name: "huge jumps") { window, random in
            Double(random.below(100)) + (window % 150 == 149 ? 1e18 : 0)
        },
        Story(name: "1e300") { _, random in 1e300 * (1 + Double(random.below(100)) / 1000) },
        Story(name: "from 1 to 1e300") { window, random in
            (window < 300 ? 1 : 1e300) * (1 + Double(random.below(100)) / 1000)
        },
        Story(name: "a counter") { window, random in Double(window % 400) * 1000 + Double(random.below(1000)) },
        Story(name: "NaN now and then") { window, random in window % 7 == 3 ? .nan : Double(random.below(100)) },
        Story(name: "gaps") { window, random in window % 50 < 10 ? nil : Double(random.below(100)) },
        Story(name: "infinities") { window, random in window % 90 == 80 ? .infinity : Double(random.below(100)) },
    ]

    /// Firings of one key that are no flood: what a user would expect of such a series, or less.
    static func limit(_ detector: String, _ story: String) -> Int {
        switch (detector, story) {
        // A bound or a slope that the values do cross: it is the user's, and holds each time.
        case ("threshold", _), ("rate_of_change", _), ("forecast", _): Self.windows
        // Every gap is a silence.
        case ("absent", "gaps"): 12
        default: 16
        }
    }

    @Test(arguments: Detectors.all.map(\.name))
    func noSeriesIsAFlood(_ name: String) throws {
        for story in Self.stories {
            let bench = try DetectorLawTests.bench(name) { $0.emit = .transitions }
            var random = SeededRandom(seed: 5)
            let keys = 4
            for window in 0..<Self.windows {
                let rows: [DetectorBench.Row] = (0..<keys).compactMap { key in
                    story.value(window, &random).map { (["r", "n\(key)"], $0) }
                }
                bench.window(Int64(window), rows)
            }
            for row in bench.rows {
                #expect(row.score >= 0 && row.score <= 1, "\(story.name): \(row)")
                #expect(!row.reason.isEmpty && !row.reason.contains("nan"), "\(story.name): \(row.reason)")
                for bound in [row.expected, row.lower, row.upper] { #expect(bound?.isFinite ?? true, "\(story.name)") }
            }
            let firings = bench.rows.count { $0.state == .firing }
            let limit = Self.limit(name, story.name) * keys
            #expect(firings <= limit, "\(name), \(story.name): \(firings) firings of \(keys) keys")
        }
    }
}
