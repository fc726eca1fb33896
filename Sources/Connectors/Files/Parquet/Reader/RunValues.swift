/// Numbers in runs: the hybrid of run lengths and bit packing (Encodings.md, "RLE = 3") of levels, dictionary codes and
/// booleans.
struct RunValues {
    private var source: PageBytes
    private let width: Int
    /// Values left in the run under way.
    private var left = 0
    /// The value of a run of equal ones; nil in a packed run.
    private var repeated: UInt32?
    /// The packed run's bytes, and how many of its values were taken.
    private var packed = PageBytes([])
    private var taken = 0

    /// Runs of values of `width` bits, 0...32.
    init(_ source: PageBytes, width: Int) throws(PageFailure) {
        guard (0...32).contains(width) else { throw PageFailure("runs of \(width)-bit values") }
        self.source = source
        self.width = width
    }

    mutating func next() throws(PageFailure) -> UInt32 {
        while left == 0 { try begin() }
        left -= 1
        if let repeated { return repeated }
        guard let value = packed.bits(at: taken * width, width: width) else {
            throw PageFailure("a packed run ends before its values")
        }
        taken += 1
        return UInt32(truncatingIfNeeded: value)
    }

    private mutating func begin() throws(PageFailure) {
        let head = try source.varint()
        let count = head >> 1
        guard count <= UInt64(Int32.max) else { throw PageFailure("a run of \(count) values") }
        if head & 1 == 0 {
            let value = try source.little((width + 7) / 8)
            guard width == 32 || value >> UInt64(width) == 0 else { throw PageFailure("a value wider than its run") }
            repeated = UInt32(truncatingIfNeeded: value)
            left = Int(count)
        } else {
            repeated = nil
            taken = 0
            left = Int(count) * 8
            // Writers may leave out the padding behind the last value.
            packed = try source.take(min(Int(count) * width, source.count))
        }
    }
}
