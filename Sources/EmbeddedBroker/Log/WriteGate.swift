import Glibc

/// The one door to the disk: everything durable goes through `write`, in order.
///
/// A test (or a fault) can shut it at the Nth write from now, which tears that write; from then on nothing reaches the
/// disk and no client is answered, as after `kill -9` at that point. Confined to the broker's loop.
final class WriteGate {
    private var writesLeft: Int?
    private var tornPermille = 0
    /// Whether the broker counts as killed.
    private(set) var isShut = false
    /// Writes so far.
    private(set) var writes = 0

    /// Lets `count` more writes pass whole, and only `tornPermille`/1000 of the one behind them.
    func shut(afterWrites count: Int, tornPermille: Int) {
        writesLeft = count
        self.tornPermille = tornPermille
    }

    /// Shuts the gate at once.
    func shut() { isShut = true }

    /// Writes all pieces at `position`; the number of bytes written, or nil when the disk refused them.
    func write(_ pieces: [UnsafeRawBufferPointer], to file: LogFile, at position: Int) -> Int? {
        if isShut { return pieces.reduce(0) { $0 + $1.count } }
        writes += 1
        let length = pieces.reduce(0) { $0 + $1.count }
        var allowed = length
        if let left = writesLeft {
            if left == 0 {
                isShut = true
                allowed = length * tornPermille / 1000
            } else {
                writesLeft = left - 1
            }
        }
        var done = 0
        for piece in pieces {
            var at = 0
            let end = min(piece.count, allowed - done)
            while at < end {
                guard let base = piece.baseAddress else { break }
                let count = pwrite(file.descriptor, base + at, end - at, off_t(position + done + at))
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else {
                    ftruncate(file.descriptor, off_t(position))
                    return nil
                }
                at += count
            }
            done += at
        }
        return length
    }
}

/// Closes a descriptor. (Here, so that files without Glibc can own one.)
func closeDescriptor(_ descriptor: Int32) { close(descriptor) }
