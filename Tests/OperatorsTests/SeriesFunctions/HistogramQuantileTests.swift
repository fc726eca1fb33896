import StreamEngine
import Testing

@testable import Operators

struct HistogramQuantileTests {
    private func quantile(_ q: Double, _ buckets: [(Double, Double)]) -> Double? {
        HistogramQuantile(parameter: q).result(
            buckets: buckets.map { HistogramBucket(upperBound: $0.0, count: $0.1) })
    }

    @Test(
        arguments: [
            ("no bucket", 0.5, [], nil),
            ("inside a bucket", 0.5, [(1, 2), (2, 6), (.infinity, 8)], 1.5),
            ("the lowest begins at 0", 0.125, [(1, 2), (2, 6), (.infinity, 8)], 0.5),
            ("a lowest bound below 0", 0.1, [(-1, 2), (2, 6), (.infinity, 8)], -1),
            ("in the last", 0.9, [(1, 2), (2, 6), (.infinity, 8)], 2),
            ("any order", 0.5, [(.infinity, 8), (2, 6), (1, 2)], 1.5),
            ("one bound twice", 0.5, [(1, 1), (1, 1), (2, 6), (.infinity, 5), (.infinity, 3)], 1.5),
            ("a fall is repaired", 0.5, [(1, 2), (2, 6), (3, 4), (.infinity, 8)], 1.5),
            ("the last falls too", 1, [(1, 2), (2, 6), (.infinity, 4)], 2),
            ("no +Inf", 0.5, [(1, 2), (2, 6)], .nan),
            ("only +Inf", 0.5, [(.infinity, 2)], .nan),
            ("two of +Inf are one", 0.5, [(.infinity, 2), (.infinity, 2)], .nan),
            ("no observation", 0.5, [(1, 0), (.infinity, 0)], .nan),
            ("q below 0", -0.1, [(1, 2), (.infinity, 2)], -.infinity),
            ("q above 1", 1.1, [(1, 2), (.infinity, 2)], .infinity),
            ("q is NaN", .nan, [(1, 2), (.infinity, 2)], .nan),
            ("counts of NaN", 0.5, [(1, .nan), (2, .nan), (.infinity, .nan)], 2),
        ] as [(String, Double, [(Double, Double)], Double?)])
    func rules(name: String, q: Double, buckets: [(Double, Double)], expected: Double?) {
        #expect(agrees(quantile(q, buckets), expected), "\(name): \(quantile(q, buckets) as Any)")
    }

    @Test(
        arguments: [
            ("+Inf", .infinity), ("Inf", .infinity), ("-inf", -.infinity), ("Infinity", .infinity), ("0.005", 0.005),
            ("1", 1), ("1.0", 1), ("+2", 2), ("-2.5", -2.5), (".5", 0.5), ("5.", 5), ("1e3", 1000), ("1E-3", 0.001),
            ("", nil), (" 1", nil), ("1 ", nil), ("much", nil), ("NaN", nil), ("0x10", nil), ("1e999", nil),
            ("+-1", nil),
            ("--1", nil), (".", nil), ("e5", nil), ("1e", nil), ("1_0", nil), ("١", nil),
        ] as [(String, Double?)])
    func bounds(label: String, expected: Double?) {
        #expect(HistogramBucket.upperBound(ofLabel: ByteString(label)) == expected)
    }
}
