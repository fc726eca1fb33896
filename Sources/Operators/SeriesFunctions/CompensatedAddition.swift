/// A running sum with Neumaier's compensation, exactly as Prometheus carries it (`kahanSumInc`; A. Neumaier,
/// "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", 1974).
///
/// Sum and compensation stay apart, because Prometheus's functions differ in when they bring the two together and in
/// what they do about infinities.
struct CompensatedAddition {
    /// The plain running sum.
    private(set) var sum = 0.0
    /// What rounding has taken from `sum`. NaN once `sum` has become infinite.
    private(set) var compensation = 0.0

    /// The compensated sum.
    var total: Double { sum + compensation }

    @inline(__always)
    mutating func add(_ increment: Double) {
        let next = sum + increment
        if abs(sum) >= abs(increment) {
            compensation += (sum - next) + increment
        } else {
            compensation += (increment - next) + sum
        }
        sum = next
    }
}
