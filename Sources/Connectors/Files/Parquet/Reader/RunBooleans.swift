/// RLE for booleans: the runs' length, 4 bytes, then runs of one-bit values.
final class RunBooleans: PageValues {
    let encoding = ParquetEncoding.rle
    private var runs: RunValues

    init(_ bytes: PageBytes) throws(PageFailure) {
        var bytes = bytes
        let length = Int(try bytes.little(4))
        runs = try RunValues(try bytes.take(length), width: 1)
    }

    func integers(_ count: Int) throws(PageFailure) -> [Int64] {
        var values: [Int64] = []
        values.reserveCapacity(count)
        for _ in 0..<count { values.append(Int64(try runs.next())) }
        return values
    }
}
