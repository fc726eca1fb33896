import Platform
import TestSupport
import Testing

@testable import Operators
@testable import StreamEngine

/// Aggregates against exact recomputation.
@Suite struct AggregateExactnessTests {
    private func run<State: AggregateState>(_ type: State.Type, _ values: [Double]) -> State {
        var state = State()
        for value in values { state.update(value, at: 0) }
        return state
    }

    @Test(arguments: 0..<60)
    func `sums are within rounding of the exact sum`(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        for kind in [ValueKind.small, .integers, .wide, .offset, .cancelling] {
            let values = (0..<Int.random(in: 1...2000, using: &random)).map { _ in kind.value(&random) }
            var exact = ExactSum()
            for value in values { exact.add(value) }
            // The tolerance of the conformance cases, in one pass and merged from pieces.
            let magnitudes = values.reduce(0) { $0 + abs($1) }
            let allowed = 1e-15 * abs(exact.value) + 1e-31 * Double(values.count) * magnitudes
            let whole = run(CompensatedSum.self, values).total ?? .nan
            #expect(exact.distance(to: whole) <= allowed, "seed \(seed), \(kind)")
            var merged = CompensatedSum()
            for range in AggregateLaws.cuts(of: values.count, &random) {
                merged.merge(run(CompensatedSum.self, Array(values[range])))
            }
            #expect(exact.distance(to: merged.total ?? .nan) <= allowed, "seed \(seed), \(kind), merged")
        }
    }

    @Test(
        arguments: [
            ([1, .infinity, 2], Double.infinity), ([1, -.infinity, 2], -.infinity), ([.infinity, -.infinity], .nan),
            ([.nan, 1], .nan), ([1, .infinity, 1e300, 1e-300], .infinity), ([-0.0], 0), ([1e308, 1e308], .infinity),
            ([.greatestFiniteMagnitude, -.greatestFiniteMagnitude], 0), ([1e100, 1, -1e100], 1),
        ] as [([Double], Double)])
    func `sums with infinities and NaN`(values: [Double], expected: Double) {
        let whole = run(CompensatedSum.self, values).total
        var merged = CompensatedSum()
        for value in values { merged.merge(run(CompensatedSum.self, [value])) }
        for total in [whole, merged.total] {
            #expect(total == expected || (total?.isNaN ?? false) && expected.isNaN, "\(values)")
        }
    }

    /// Values that are multiples of 2^-30 around a base: their variance is a ratio of integers.
    @Test(arguments: [0.0, 1, 1e6, 1e9, -1e9, 4e9])
    func `deviations of 1e-3 survive around`(base: Double) {
        for seed in 0..<20 {
            var random = SeededRandom(seed: UInt64(seed))
            let unit = max(base.ulp, 1.0 / 1_073_741_824)
            let steps = (0..<Int.random(in: 2...3000, using: &random)).map { _ in
                Int.random(in: -Int(1e-3 / unit)...Int(1e-3 / unit), using: &random)
            }
            let values = steps.map { base + Double($0) * unit }
            let n = Int128(steps.count)
            let sum = steps.reduce(Int128(0)) { $0 + Int128($1) }
            let squares = steps.reduce(Int128(0)) { $0 + Int128($1) * Int128($1) }
            let expected = Double(n * squares - sum * sum) / Double(n * (n - 1)) * unit * unit
            let whole = run(CentralMoments.self, values).variance(correction: 1) ?? .nan
            var merged = CentralMoments()
            for range in AggregateLaws.cuts(of: values.count, &random) {
                merged.merge(run(CentralMoments.self, Array(values[range])))
            }
            #expect(abs(whole - expected) <= 1e-11 * expected, "seed \(seed)")
            #expect(
                abs((merged.variance(correction: 1) ?? .nan) - expected) <= 1e-11 * expected, "seed \(seed), merged")
        }
    }

    @Test func `deviations of few, equal, NaN and infinite values`() {
        #expect(run(CentralMoments.self, []).variance(correction: 0) == nil)
        #expect(run(CentralMoments.self, [7]).variance(correction: 1) == nil)
        #expect(run(CentralMoments.self, [7]).variance(correction: 0) == 0)
        #expect(run(CentralMoments.self, Array(repeating: 0.1, count: 1000)).variance(correction: 1) == 0)
        for special in [Double.nan, .infinity, -.infinity] {
            #expect(run(CentralMoments.self, [special]).variance(correction: 0)?.isNaN == true)
            #expect(run(CentralMoments.self, [1, special, 2]).variance(correction: 1)?.isNaN == true)
            #expect(run(CentralMoments.self, [special]).variance(correction: 1) == nil)
            var merged = run(CentralMoments.self, [1, 2])
            merged.merge(run(CentralMoments.self, [special]))
            #expect(merged.variance(correction: 1)?.isNaN == true)
        }
    }

    @Test func `deviations of more rows than 31 bits count`() {
        // Merging a state with itself doubles its rows: 3 rows become 3·2^32.
        var moments = run(CentralMoments.self, [1e9, 1e9 + 1, 1e9 + 2])
        for _ in 0..<32 { moments.merge(moments) }
        #expect(moments.count == 3 << 32)
        #expect(abs((moments.variance(correction: 0) ?? .nan) - 2.0 / 3) < 1e-15)
        for _ in 0..<20 { moments.merge(moments) }
        #expect(moments.count == 1 << 39 - 1)
    }

    @Test func `extremes pass over NaN unless there is nothing else`() {
        #expect(run(Smallest.self, [.nan, 3, .nan, 1, 2]).value == 1)
        #expect(run(Largest.self, [3, .nan, 5, -.infinity]).value == 5)
        #expect(run(Largest.self, [.nan, .nan]).value?.isNaN == true)
        #expect(run(Smallest.self, [Double(bitPattern: ExtremeMark.bits)]).value?.isNaN == true)
        #expect(run(Smallest.self, []).value == nil)
    }

    @Test func `first and last go by time, ties by order`() {
        var first = EarliestValue()
        var last = LatestValue()
        for (value, time) in [(1.0, Int64(5)), (2, 3), (3, 3), (4, 9), (5, 9), (6, 4)] {
            first.update(value, at: time)
            last.update(value, at: time)
        }
        #expect(first.value == 2)
        #expect(last.value == 5)
    }

    /// A mean's lower part is a Float, which ends at 3e38: deviations do not.
    @Test(arguments: [1e-150, 1e-60, 1e-20, 1, 1e30, 1e54, 1e55, 1e56, 1e70, 1e100, 1e150])
    func `deviations hold whatever the magnitude`(scale: Double) {
        var random = SeededRandom(seed: 3)
        for count in [2, 5, 40] {
            let parts = (0..<count).map { _ in Double(Int.random(in: -1000...1000, using: &random)) / 1024 }
            let mean = parts.reduce(0, +) / Double(count)
            let expected = parts.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count - 1)
            let values = parts.map { $0 * scale }
            var merged = CentralMoments()
            for value in values { merged.merge(run(CentralMoments.self, [value])) }
            let lone = TypedStateColumn<CentralMoments>()
            lone.assign(lone: [values[0]])
            for value in values.dropFirst() { lone.append(lone: [value]) }
            for state in [run(CentralMoments.self, values), merged, lone.states[0]] {
                let found = (state.variance(correction: 1) ?? .nan) / scale / scale
                #expect(abs(found - expected) <= 1e-12 * expected, "\(count) values")
            }
        }
    }

    /// Which of two NaNs comes out of an addition is not the same in every loop; outputs may keep all bits.
    @Test(arguments: AggregateCase.all.filter { !$0.isText })
    func `a NaN in a cell is the ordinary one`(tested: AggregateCase) {
        for bits: UInt64 in [0xfff8_0000_0000_0000, 0x7ff0_0000_0000_0001, 0x7ff8_0000_656d_7074, .max] {
            let run = AggregateRun(tested.type, isText: false, groupCount: 1)
            for number in [Double(bitPattern: bits), -.nan, Double(bitPattern: bits ^ 2)] {
                run.update([AggregateRun.Row(group: 0, number: number, text: "", timestampMs: 0)][...])
            }
            guard let value = run.doubles()[0], value.isNaN else { continue }
            #expect(value.bitPattern == Double.nan.bitPattern)
        }
    }

    @Test(arguments: 0..<30)
    func `quantiles are within 1 % of the values at the ranks around`(seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        for kind in [ValueKind.small, .integers, .wide, .offset, .cancelling, .equal, .special] {
            let count = Int.random(in: 1...(seed.isMultiple(of: 2) ? 40 : 1500), using: &random)
            let values = (0..<count).map { _ in kind.value(&random) }
            var sketch = QuantileSketch()
            for range in AggregateLaws.cuts(of: values.count, &random) {
                sketch.merge(run(QuantileSketch.self, Array(values[range])))
            }
            let sorted = values.filter { !$0.isNaN }.sorted()
            for q in [0, 0.01, 0.1, 0.5, 0.9, 0.99, 1] {
                let answer = try #require(sketch.quantile(q))
                guard !sorted.isEmpty else {
                    #expect(answer.isNaN)
                    continue
                }
                let rank = q * Double(sorted.count - 1)
                let pair = [sorted[Int(rank.rounded(.down))], sorted[Int(rank.rounded(.up))]]
                let isNear = pair.contains { $0 == answer || abs(answer - $0) <= 0.01 * abs($0) }
                #expect(
                    pair[0] <= answer && answer <= pair[1] || isNear,
                    "seed \(seed), \(kind), q \(q): \(answer), \(pair)")
            }
        }
    }

    @Test func `a quantile sketch stays bounded, whatever comes in whatever order`() {
        var random = SeededRandom(seed: 5)
        // 600 powers of ten, both signs: more than 4,096 buckets each.
        let values = (0..<60_000).map { _ in
            (Bool.random(using: &random) ? 1 : -1)
                * Double(
                    sign: .plus, exponent: Int.random(in: -1000...1000, using: &random),
                    significand: Double.random(in: 1..<2, using: &random))
        }
        func encoded(_ values: [Double]) -> [UInt8] {
            var writer = ByteWriter()
            run(QuantileSketch.self, values).encode(to: &writer)
            return writer.bytes
        }
        let sketch = run(QuantileSketch.self, values)
        #expect(sketch.heapBytes <= 3 * 8 * (2 * QuantileSketch.bucketsMax + 3))
        #expect(encoded(values) == encoded(values.shuffled(using: &random)))
        var halves = run(QuantileSketch.self, Array(values[40_000...]))
        halves.merge(run(QuantileSketch.self, Array(values[..<40_000])))
        var writer = ByteWriter()
        halves.encode(to: &writer)
        #expect(writer.bytes == encoded(values))
    }

    @Test(arguments: [0, 1, 255, 256, 257, 1000, 20_000, 200_000])
    func `distinct counts are exact up to 256 and then within 5 %`(count: Int) {
        var sketch = DistinctSketch()
        for index in 0..<count {
            sketch.update(Double(index) * 0.5, at: 0)
            if index.isMultiple(of: 3) { sketch.update(Double(index) * 0.5, at: 1) }
        }
        let error = abs(Double(sketch.estimate) - Double(count))
        #expect(count <= 256 ? error == 0 : error <= 0.05 * Double(count), "\(sketch.estimate)")
    }

    @Test func `zeros are one value, NaN another`() {
        #expect(
            run(DistinctSketch.self, [0, -0.0, .nan, Double(bitPattern: 0x7ff8_0000_0000_0009), -.nan]).estimate == 2)
    }
}
