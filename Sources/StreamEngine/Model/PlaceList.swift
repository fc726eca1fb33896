/// Where the texts of a series stand within its spelling, as `SeriesRecords` keeps it: in the order of
/// `SeriesLabels.packed`, for each text the gap to the end of the one before (zigzag) and its length, as varints.
struct PlaceList: ~Copyable {
    /// Most bytes a list may have.
    static let most = 254
    /// Two numbers of 64 bits take 20 bytes.
    private static let longestPlace = 20

    private let base = UnsafeMutablePointer<UInt8>.allocate(capacity: most + longestPlace)
    private var count = 0
    private var end = 0

    deinit { base.deallocate() }

    /// The list so far; good until it changes.
    var bytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: base, count: count) }

    /// Begins a new list.
    mutating func clear() {
        count = 0
        end = 0
    }

    /// Appends the place of a text; false when the list is longer than `most` then, and of no use.
    @inline(__always)
    mutating func append(_ start: Int, _ length: Int) -> Bool {
        guard count <= PlaceList.most else { return false }
        let gap = start - end
        write(gap << 1 ^ gap >> (Int.bitWidth - 1))
        write(length)
        end = start + length
        return count <= PlaceList.most
    }

    @inline(__always)
    private mutating func write(_ value: Int) {
        var rest = UInt(bitPattern: value)
        while rest >= 0x80 {
            base[count] = UInt8(truncatingIfNeeded: rest | 0x80)
            count &+= 1
            rest >>= 7
        }
        base[count] = UInt8(truncatingIfNeeded: rest)
        count &+= 1
    }
}
