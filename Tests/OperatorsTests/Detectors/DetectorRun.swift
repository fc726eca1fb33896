import Platform
import TestSupport
import Testing

@testable import Operators
@testable import StreamEngine

/// Options of a detector as a job would write them.
enum DetectorOptions {
    static func checked(_ factory: any DetectorFactory, _ written: [(String, String)] = []) -> CheckedOptions {
        var check = OptionCheck()
        let entries = written.map { key, text in
            let node: OptionNode
            if text.hasPrefix("[") {
                let parts = text.dropFirst().dropLast().split(separator: " ").map {
                    OptionNode(.scalar(OptionScalar(String($0))))
                }
                node = OptionNode(.list(parts))
            } else {
                node = OptionNode(.scalar(OptionScalar(text)))
            }
            return OptionEntry(key, node)
        }
        let options = factory.schema.check(OptionNode(.map(entries)), path: "detector", into: &check)
        precondition(options.isComplete, "\(factory.name): \(check.diagnostics)")
        return options
    }

    /// What each detector needs to be made at all.
    static let required: [String: [(String, String)]] = [
        "threshold": [("above", "0.9")], "forecast": [("reach", "0"), ("within", "4h")],
        "rate_of_change": [("above", "5")],
    ]
}

/// A detector over one key, or several, fed window by window.
struct DetectorRun {
    static let slideMs: Int64 = 60_000
    /// 2026-01-05T00:00:00Z, a Monday.
    static let startMs: Int64 = 1_767_571_200_000

    let detector: any Detector
    let keys: Int
    let slideMs: Int64
    var window: Int64 = 0

    init(
        _ factory: any DetectorFactory, _ written: [(String, String)] = [], keys: Int = 1, slideMs: Int64 = slideMs,
        labels: (Int) -> [Label] = { [Label("instance", ByteString("n\($0)"))] }
    ) {
        self.keys = keys
        self.slideMs = slideMs
        let options = DetectorOptions.checked(factory, written)
        detector = factory.make(
            options, DetectorSetting(column: "busy", windowMs: slideMs, slideMs: slideMs))
        detector.addKeys((0..<keys).map { DetectorKey(labels: labels($0)) })
    }

    /// One window; nil: no value. Checks what every verdict must be.
    mutating func feed(_ values: [Double?]) -> [(verdict: DetectorVerdict, reason: String)] {
        let endMs = Self.startMs + (window + 1) * slideMs
        window += 1
        let ticks = DetectorTicks(
            windowStartMs: endMs - slideMs, windowEndMs: endMs, keys: (0..<UInt32(keys)).map { $0 },
            values: values.map { $0 ?? 0 }, present: values.map { $0 != nil })
        var verdicts = [DetectorVerdict](repeating: DetectorVerdict(), count: keys)
        detector.judge(ticks, into: &verdicts)
        return verdicts.enumerated().map { row, verdict in
            #expect(
                verdict.score >= 0 && verdict.score <= 1, "score \(verdict.score) of \(String(describing: values[row]))"
            )
            guard verdict.isFlagged else { return (verdict, "") }
            let reason = detector.reason(row, ticks, verdict)
            #expect(!reason.isEmpty && !reason.hasSuffix(".") && !reason.contains("NaN for"), "\(reason)")
            return (verdict, reason)
        }
    }

    /// The windows in which the only key is flagged.
    mutating func flags(_ series: [Double?]) -> [Int] {
        var flagged: [Int] = []
        for (index, value) in series.enumerated() where feed([value])[0].verdict.isFlagged { flagged.append(index) }
        return flagged
    }

    func encoded() -> [UInt8] {
        var writer = ByteWriter()
        detector.encode(to: &writer)
        return writer.bytes
    }
}

/// Series that are no fun.
enum NastySeries {
    static func noise(_ count: Int, seed: UInt64, level: Double = 0, deviation: Double = 1) -> [Double] {
        var random = SeededRandom(seed: seed)
        return (0..<count).map { _ in
            let sum = (0..<12).reduce(0.0) { sum, _ in sum + Double.random(in: 0..<1, using: &random) }
            return level + deviation * (sum - 6)
        }
    }

    static let all: [(name: String, values: [Double?])] = {
        let noise = Self.noise(400, seed: 7)
        return [
            ("constant", .init(repeating: 0.5, count: 400)),
            ("zero", .init(repeating: 0, count: 400)),
            ("all NaN", .init(repeating: .nan, count: 400)),
            ("one value", [0.5] + .init(repeating: nil, count: 100)),
            ("nothing", .init(repeating: nil, count: 50)),
            ("infinities", (0..<200).map { $0 % 3 == 0 ? .infinity : $0 % 3 == 1 ? -.infinity : 0.5 }),
            ("1e300", (0..<200).map { $0 % 2 == 0 ? 1e300 : -1e300 }),
            ("constant 1e300", .init(repeating: 1e300, count: 200)),
            ("tiny", (0..<200).map { Double($0 % 7) * Double.leastNonzeroMagnitude }),
            ("huge jumps", noise.enumerated().map { $0.offset % 50 == 49 ? 1e18 : $0.element }),
            ("one huge jump", noise.enumerated().map { $0.offset < 200 ? $0.element : $0.element + 1e12 }),
            ("integers", noise.map { ($0 + 3).rounded() }),
            ("counter", (0..<400).map { Double($0 % 300) * 1000 + noise[$0] }),
            ("mostly zero", noise.map { $0 > 1.5 ? $0 : 0 }),
            ("gaps", noise.enumerated().map { $0.offset % 90 > 20 ? $0.element : nil }),
            ("constant, then noise", noise.enumerated().map { $0.offset < 100 ? 3 : 3 + $0.element }),
            ("noise, then constant", noise.enumerated().map { $0.offset < 200 ? $0.element : 0.25 }),
            ("NaN now and then", noise.enumerated().map { $0.offset % 10 == 3 ? .nan : $0.element }),
        ]
    }()
}
