/// Keys of groups, packed one behind the other.
public struct PackedKeys: Sendable {
    public private(set) var groups: [UInt32] = []
    private var bytes: [UInt8] = []
    private var ends: [Int] = []

    /// None.
    public init() {}

    /// Adds the key of a group.
    mutating func append(_ group: UInt32, _ key: GroupKey) {
        key.packed.withUnsafeBufferPointer { append(group, $0) }
    }

    /// Adds the key of a group by its packed bytes.
    mutating func append(_ group: UInt32, _ key: UnsafeBufferPointer<UInt8>) {
        groups.append(group)
        bytes.append(contentsOf: key)
        ends.append(bytes.count)
    }

    /// Hands out each group with its packed key.
    func forEach(_ body: (UInt32, UnsafeBufferPointer<UInt8>) -> Void) {
        bytes.withUnsafeBufferPointer { bytes in
            var start = 0
            for (place, group) in groups.enumerated() {
                body(group, UnsafeBufferPointer(rebasing: bytes[start..<ends[place]]))
                start = ends[place]
            }
        }
    }
}
