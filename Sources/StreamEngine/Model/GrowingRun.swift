import Glibc
import Platform

/// Plain values one behind the other in memory that grows little at a time, so that what it takes follows what it holds.
///
/// Up to 64 KiB it doubles; then it grows by an eighth, for doubling would leave up to half of it empty. The allocator
/// moves runs of that size by their page tables (`mremap`) rather than by copying, or lengthens them where they stand.
public struct GrowingRun<Element: BitwiseCopyable>: ~Copyable {
    /// The first value; another address after each call that grows.
    public private(set) var base: UnsafeMutablePointer<Element>
    /// How many values are held.
    public private(set) var count = 0
    private var capacity: Int

    private static var stride: Int { MemoryLayout<Element>.stride }

    /// A run without values.
    public init() {
        capacity = max(256 / GrowingRun.stride, 1)
        base = GrowingRun.resized(nil, capacity)
    }

    deinit { free(base) }

    /// Bytes taken.
    public var byteCount: Int { capacity * GrowingRun.stride }

    /// One of the values.
    public subscript(index: Int) -> Element {
        @inline(__always) get { base[index] }
        @inline(__always) nonmutating set { base[index] = newValue }
    }

    /// Puts a value at the end.
    @inline(__always)
    public mutating func append(_ value: Element) {
        if count == capacity { grow(to: count + 1) }
        base[count] = value
        count &+= 1
    }

    /// Makes `more` values at the end that are not set yet, and gives the first.
    @inline(__always)
    public mutating func extend(by more: Int) -> UnsafeMutablePointer<Element> {
        if count + more > capacity { grow(to: count + more) }
        count += more
        return base + (count - more)
    }

    /// Makes it `newCount` values long; what comes to it is `value`.
    public mutating func lengthen(to newCount: Int, with value: Element) {
        guard newCount > count else { return }
        let missing = newCount - count
        extend(by: missing).update(repeating: value, count: missing)
    }

    /// Forgets all values and keeps the memory.
    @inline(__always)
    public mutating func clear() { count = 0 }

    /// Keeps the first `newCount` values, and gives back memory where most of it is free then.
    public mutating func shorten(to newCount: Int) {
        count = min(count, newCount)
        guard count < capacity / 2, byteCount > 1 << 16 else { return }
        capacity = max(count + count / 8, 256 / GrowingRun.stride)
        base = GrowingRun.resized(base, capacity)
    }

    @inline(never)
    private mutating func grow(to needed: Int) {
        let isSmall = byteCount < 1 << 16
        capacity = max(needed, isSmall ? capacity * 2 : capacity + capacity / 8)
        base = GrowingRun.resized(base, capacity)
    }

    private static func resized(_ base: UnsafeMutablePointer<Element>?, _ capacity: Int) -> UnsafeMutablePointer<
        Element
    > {
        guard let moved = realloc(base, capacity * stride) else {
            OutOfMemory.end("series, groups and their keys", bytes: capacity * stride)
        }
        return moved.bindMemory(to: Element.self, capacity: capacity)
    }
}
