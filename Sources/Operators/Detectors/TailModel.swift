import Glibc
import Platform

/// How likely a statistic is to go above a value, learnt as it comes: below a threshold roughly, beyond it by a
/// generalised Pareto distribution of the excesses (peaks over threshold: Pickands 1975; as a stream: Siffer, Fouque,
/// Termier, Largouët, KDD 2017).
///
/// Values above the threshold come in clusters where a series has a memory, so each cluster counts once, by its peak,
/// when it is over (Davison and Smith 1990): an event that goes on does not teach that it is usual. The threshold
/// follows the 90 % quantile by stochastic approximation; scale and shape come from the first two moments of the peaks
/// (Hosking and Wallis 1987), which need no history. Few peaks say little about what lies far beyond: the shape then is
/// heavier, as the predictive distribution of an exponential tail is (Pareto, with as many degrees of freedom as
/// peaks). 24 bytes.
struct TailModel: BitwiseCopyable, Sendable {
    /// Share of values meant to be above the threshold.
    static let share: Float = 0.1
    /// Most peaks remembered.
    static let memory: Float = 200
    /// Peaks that what stands at the beginning counts for.
    static let prior: Float = 5

    /// The threshold; begins where that of standard normal values lies.
    var threshold: Float = 1.28
    /// Clusters a value.
    var rate: Float = 0.1
    /// Mean of the peaks' excesses, and of their squares. What stands here at first is exponential.
    var mean: Float = 0.5
    var square: Float = 0.5
    /// Peaks learnt, up to `memory`.
    var weight: Float = 0
    /// Excess of the cluster that goes on; 0: none does.
    var peak: Float = 0

    init() {}

    /// Scale and shape of the excesses.
    private var shape: (scale: Double, shape: Double) {
        let mean = Double(mean)
        let variance = max(Double(square) - mean * mean, 1e-12)
        let count = Double(weight)
        // From a little lighter than exponential, as normal values are, to one almost without a variance; few excesses
        // cannot tell.
        let fitted = min(max(0.5 * (1 - mean * mean / variance), -0.1), 0.45) * count / (count + 30)
        return (mean * (1 - fitted), fitted + 1 / (3 + count))
    }

    /// The chance of a value of at least `value`, 0...1.
    func probability(_ value: Double) -> Double {
        let excess = value - Double(threshold)
        guard excess > 0 else { return min(1, Double(rate) * exp(min(-excess / Double(mean), 50))) }
        let (scale, shape) = shape
        guard abs(shape) > 1e-6 else { return Double(rate) * exp(-excess / scale) }
        // A light tail ends somewhere: nothing is beyond.
        let base = 1 + shape * excess / scale
        return base > 0 ? Double(rate) * pow(base, -1 / shape) : 0
    }

    /// The value with a chance of `probability`.
    func quantile(_ probability: Double) -> Double {
        guard probability < Double(rate) else { return Double(threshold) }
        let (scale, shape) = shape
        guard abs(shape) > 1e-6 else { return Double(threshold) + scale * log(Double(rate) / probability) }
        return Double(threshold) + scale / shape * (pow(Double(rate) / probability, shape) - 1)
    }

    /// Learns a value; `count` values came before it. Of a `flagged` one only as much as would just not have been,
    /// `limit`: rare things that come again are learnt bit by bit.
    mutating func learn(_ value: Double, count: UInt32, flaggedLimit limit: Double?) {
        let value = Float(min(max(min(value, limit ?? value), -1e6), 1e6))
        let pace = max(1 / (Float(count) + 20), 0.002)
        let isAbove = value > threshold
        let isNew = isAbove && peak == 0
        if limit == nil || isNew { rate = max(rate + ((isNew ? 1 : 0) - rate) * pace, 0.002) }
        if isAbove {
            peak = max(peak, value - threshold)
        } else if peak > 0 {
            weight = min(weight + 1, Self.memory)
            let step = 1 / (weight + Self.prior)
            mean = max(mean + (peak - mean) * step, 0.03)
            square = max(square + (peak * peak - square) * step, 0.001)
            peak = 0
        }
        guard limit == nil else { return }
        // Steps of the quantile's own size: a value above moves it nine times as far as one below.
        let step = max(12 / (Float(count) + 20), 0.04) * mean
        threshold += isAbove ? step * (1 - Self.share) : -step * Self.share
    }

    func encode(to writer: inout ByteWriter) {
        for part in [threshold, rate, mean, square, weight, peak] { writer.write(part) }
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        threshold = try reader.readFinite("threshold", limit: Float(1e7))
        rate = try reader.readFinite("rate", limit: Float(1))
        mean = try reader.readFinite("excess", limit: Float(1e7))
        square = try reader.readFinite("squared excess", limit: Float(1e14))
        weight = try reader.readFinite("weight", limit: Float(200))
        peak = try reader.readFinite("peak", limit: Float(1e7))
        guard rate >= 0.002, mean >= 0.03, square >= 0.001, weight >= 0, peak >= 0 else {
            throw DecodingFailure("a tail with a rate of \(rate), an excess of \(mean), a weight of \(weight)")
        }
    }
}
