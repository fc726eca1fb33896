import Glibc
import StreamEngine
import Testing

@testable import Operators

/// What the functions do at the edges, where no stored answer lies.
struct SeriesFunctionsTests {
    /// One sample each ten seconds from the window's fifth second on; a window of a minute unless told.
    private func evaluate(
        _ name: String, _ parameter: Double?, _ values: [Double], windowStartMs: Int64 = 0,
        windowEndMs: Int64 = 60_000
    ) throws -> Double? {
        let type = try #require(SeriesFunctions.named(name))
        let function = type.init(parameter: parameter ?? (type.parameter == nil ? nil : 0.5))
        let timestamps = values.indices.map { windowStartMs + 5_000 + Int64($0) * 10_000 }
        return timestamps.withUnsafeBufferPointer { timestamps in
            values.withUnsafeBufferPointer { values in
                function.evaluate(timestamps, values, windowStartMs: windowStartMs, windowEndMs: windowEndMs)
            }
        }
    }

    @Test func theRegistryHoldsEveryNameOfTheContractOnce() {
        let contract = [
            "rate", "increase", "delta", "irate", "deriv", "changes", "resets", "avg_over_time", "sum_over_time",
            "min_over_time", "max_over_time", "last_over_time", "count_over_time", "stddev_over_time",
            "quantile_over_time", "predict_linear",
        ]
        #expect(SeriesFunctions.all.map { $0.name }.sorted() == contract.sorted())
        #expect(SeriesFunctions.all.allSatisfy { !$0.summary.isEmpty })
    }

    /// One file each, besides the registry and the three pieces of shared arithmetic.
    @Test func theRegistryHoldsEveryFileOfTheFolder() throws {
        let tests = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let folder = try #require(opendir("/\(tests)/Sources/Operators/SeriesFunctions"))
        defer { closedir(folder) }
        var files: Set<String> = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasSuffix(".swift") { files.insert(String(name.dropLast(6))) }
        }
        let shared: Set = ["SeriesFunctions", "CompensatedAddition", "Extrapolation", "LinearRegression"]
        #expect(files.subtracting(shared) == Set(SeriesFunctions.all.map { String(describing: $0) }))
    }

    @Test(arguments: SeriesFunctions.all.map { $0.name })
    func noSampleGivesNoValue(name: String) throws {
        #expect(try evaluate(name, nil, []) == nil)
    }

    @Test(arguments: [
        ("rate", nil), ("increase", nil), ("delta", nil), ("irate", nil), ("deriv", nil), ("predict_linear", nil),
        ("changes", 0), ("resets", 0), ("avg_over_time", 3), ("sum_over_time", 3), ("min_over_time", 3),
        ("max_over_time", 3), ("last_over_time", 3), ("count_over_time", 1), ("stddev_over_time", 0),
        ("quantile_over_time", 3),
    ])
    func oneSample(name: String, expected: Double?) throws {
        #expect(try evaluate(name, nil, [3]) == expected)
    }

    @Test(
        arguments: [
            // Both edges are half a distance away: stretched to them, 60 s in all.
            ("increase", nil, [10, 20, 30, 40, 50, 60], 60.0),
            ("rate", nil, [10, 20, 30, 40, 50, 60], 1.0),
            // Six increments of ten after the reset is made good.
            ("increase", nil, [30, 40, 50, 10, 20, 30], 60),
            // The line would be negative at the start: stretched to its zero only.
            ("increase", nil, [0, 10, 20, 30, 40, 50], 55),
            // The last sample is far from the end: stretched by half a distance.
            ("increase", nil, [100, 110, 120], 30),
            ("delta", nil, [60, 50, 40, 30, 20, 10], -60),
            ("irate", nil, [0, 7, 2], 0.2),
            ("deriv", nil, [1, 2, 3], 0.1),
            ("predict_linear", 10, [1, 2, 3, 4, 5, 6], 7.5),
            ("quantile_over_time", 0.25, [4, 1, 3, 2], 1.75),
            ("quantile_over_time", -1, [4, 1], -.infinity),
            ("quantile_over_time", 2, [4, 1], .infinity),
            ("sum_over_time", nil, [1e16, 1, -1e16], 1),
            ("avg_over_time", nil, [.infinity, 1, .infinity], .infinity),
            ("min_over_time", nil, [.nan, 2, 1, .nan], 1),
            ("max_over_time", nil, [.nan, 2, 1, .nan], 2),
            ("changes", nil, [.nan, .nan, 1, 1, .nan], 2),
        ] as [(String, Double?, [Double], Double)])
    func byHand(name: String, parameter: Double?, values: [Double], expected: Double) throws {
        let result = try #require(try evaluate(name, parameter, values))
        #expect(agrees(result, expected), "\(result), not \(expected)")
    }

    /// Windows before 1970 and far ones count like any other: only differences of times matter.
    @Test(arguments: [-120_000, -60_000_000_060_000, Int64.min / 4, Int64.max / 4 - 60_000] as [Int64])
    func anywhereInTime(startMs: Int64) throws {
        for function in SeriesFunctions.all {
            let values: [Double] = [10, 30, 20, 40, 60, 50]
            let here = try evaluate(function.name, nil, values)
            let there = try evaluate(
                function.name, nil, values, windowStartMs: startMs, windowEndMs: startMs + 60_000)
            #expect(here == there, "\(function.name)")
        }
    }
}
