import StreamEngine
import Testing

@testable import Operators

/// The functions against what a real Prometheus 2.42 answered over the same samples.
struct PrometheusAnswersTests {
    /// A function's value over the samples within a window.
    private func evaluate(
        _ function: any SeriesFunction, _ series: PrometheusAnswers.Series, _ window: Range<Int64>
    ) -> Double? {
        let inside = series.timestampsMs.indices.filter { window.contains(series.timestampsMs[$0]) }
        let timestamps = inside.map { series.timestampsMs[$0] }
        let values = inside.map { series.values[$0] }
        return timestamps.withUnsafeBufferPointer { timestamps in
            values.withUnsafeBufferPointer { values in
                function.evaluate(
                    timestamps, values, windowStartMs: window.lowerBound, windowEndMs: window.upperBound)
            }
        }
    }

    @Test(arguments: SeriesFunctions.all.map { $0.name })
    func everyFunctionAnswersAsPrometheusDoes(name: String) throws {
        let fixture = try PrometheusAnswers.committed()
        let type = try #require(SeriesFunctions.named(name))
        var compared = 0
        var differentBits = 0
        for windows in fixture.sets {
            for answer in windows.answers where answer.function == name {
                let series = try #require(fixture.series[answer.key])
                let function = type.init(parameter: answer.parameter)
                for n in 0..<windows.count {
                    let mine = evaluate(function, series, windows.bounds(n))
                    #expect(
                        agrees(mine, answer.values[n]),
                        "\(name) \(answer.key) window \(n) of \(windows.name): \(mine as Any), not \(answer.values[n] as Any)"
                    )
                    compared += 1
                    if let mine, let theirs = answer.values[n], mine != theirs, !theirs.isNaN { differentBits += 1 }
                }
            }
        }
        #expect(compared > 500, "\(compared) answers compared")
        // Operation by operation the same arithmetic: not even the last bits differ.
        #expect(differentBits == 0, "\(differentBits) of \(compared) answers differ in their last bits")
    }

    /// A series without any answer must have none here either.
    @Test(arguments: SeriesFunctions.all.map { $0.name })
    func whereNoAnswerWasGivenThereIsNone(name: String) throws {
        let fixture = try PrometheusAnswers.committed()
        let type = try #require(SeriesFunctions.named(name))
        for windows in fixture.sets {
            let answered = Set(windows.answers.filter { $0.function == name }.map(\.key))
            for (key, series) in fixture.series where key.contains("series=") && !answered.contains(key) {
                let function = type.init(parameter: type.parameter == nil ? nil : 0.5)
                for n in 0..<windows.count {
                    #expect(evaluate(function, series, windows.bounds(n)) == nil, "\(name) \(key) window \(n)")
                }
            }
        }
    }

    @Test(arguments: [("histogram_quantile", ["hist", "instance", "job"]), ("histogram_quantile_by_hist", ["hist"])])
    func histogramQuantilesAnswerAsPrometheusDoes(name: String, by: [String]) throws {
        let fixture = try PrometheusAnswers.committed()
        let rate = Rate(parameter: nil)
        var compared = 0
        for windows in fixture.sets {
            for answer in windows.answers where answer.function == name {
                let group = Set(answer.key.split(separator: ","))
                let members = fixture.series.values
                    .filter { group.isSubset(of: $0.key.split(separator: ",")) && $0.key.contains("le=") }
                    .sorted { ByteString($0.key) < ByteString($1.key) }
                #expect(!members.isEmpty)
                let quantile = HistogramQuantile(parameter: try #require(answer.parameter))
                for n in 0..<windows.count {
                    let buckets = members.compactMap { member -> HistogramBucket? in
                        let le = member.key.split(separator: ",").first { $0.hasPrefix("le=") }?.dropFirst(3) ?? ""
                        guard let bound = HistogramBucket.upperBound(ofLabel: ByteString(String(le))),
                            let value = evaluate(rate, member, windows.bounds(n))
                        else { return nil }
                        return HistogramBucket(upperBound: bound, count: value)
                    }
                    let mine = quantile.result(buckets: buckets)
                    #expect(
                        agrees(mine, answer.values[n]),
                        "\(name) \(answer) window \(n) of \(windows.name): \(mine as Any)")
                    compared += 1
                }
            }
        }
        #expect(compared > 500, "\(compared) answers compared")
    }
}
