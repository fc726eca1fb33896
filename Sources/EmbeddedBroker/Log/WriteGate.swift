import Glibc
import Platform

/// The one door to the disk: everything durable goes through `write`, in order.
///
/// A test (or a fault) can shut it at the Nth write from now, which tears that write; from then on nothing reaches the
/// disk and no client is answered, as after `kill -9` at that point. Or it can refuse writes, as a full disk does.
/// Confined to the broker's loop.
final class WriteGate {
    /// Writes to be refused: `skip` more pass, then `left` (nil: all) fail with `code`.
    private struct Refusal {
        var code: Int32
        var skip: Int
        var left: Int?
    }

    /// Least time between two complaints, milliseconds.
    private static let complaintIntervalMs: Int64 = 10_000

    private let clock: any Clock
    private var writesLeft: Int?
    private var tornPermille = 0
    private var refusal: Refusal?
    private var complainedMs: Int64?
    private var isComplaining = false
    /// Whether the broker counts as killed.
    private(set) var isShut = false
    /// Writes so far.
    private(set) var writes = 0
    /// Says what an operator should know.
    var say: (String) -> Void = BrokerLog.warn

    /// An open gate; `clock` keeps its complaints apart.
    init(clock: any Clock) { self.clock = clock }

    // MARK: Faults

    /// Lets `count` more writes pass whole, and only `tornPermille`/1000 of the one behind them.
    func shut(afterWrites count: Int, tornPermille: Int) {
        writesLeft = count
        self.tornPermille = tornPermille
    }

    /// Shuts the gate at once.
    func shut() { isShut = true }

    /// Lets `skip` more writes pass, then refuses `count` of them (nil: all until `admit`) with an `errno`, each after
    /// `tornPermille`/1000 of its bytes have reached the file, as a disk does that fills up.
    func refuse(_ code: Int32 = ENOSPC, after skip: Int = 0, count: Int? = nil, tornPermille: Int = 0) {
        refusal = Refusal(code: code, skip: skip, left: count)
        self.tornPermille = tornPermille
    }

    /// Ends `refuse`.
    func admit() { refusal = nil }

    /// Whether the next write is refused; counts it.
    private func nextRefusal() -> Int32? {
        guard let code = refusal?.code else { return nil }
        if let skip = refusal?.skip, skip > 0 {
            refusal?.skip = skip - 1
            return nil
        }
        if let left = refusal?.left {
            guard left > 0 else { return nil }
            refusal?.left = left - 1
        }
        return code
    }

    // MARK: Writing

    /// A change that is kept in memory alone: refused as a write of it would be.
    func pass(_ file: LogFile) throws(StorageError) {
        if !isShut, let code = nextRefusal() { throw refused(file, nil, code) }
    }

    /// Writes all pieces at `position` and returns the number of bytes; or nothing of them counts as written.
    func write(_ pieces: [UnsafeRawBufferPointer], to file: LogFile, at position: Int) throws(StorageError) -> Int {
        let length = pieces.reduce(0) { $0 + $1.count }
        if isShut { return length }
        writes += 1
        if let code = nextRefusal() {
            _ = Self.put(pieces, to: file, at: position, limit: length * tornPermille / 1000)
            throw refused(file, position, code)
        }
        var limit = length
        if let left = writesLeft {
            if left == 0 {
                isShut = true
                limit = length * tornPermille / 1000
            } else {
                writesLeft = left - 1
            }
        }
        if let code = Self.put(pieces, to: file, at: position, limit: limit) { throw refused(file, position, code) }
        if isComplaining { relax() }
        return length
    }

    /// Writes the first `limit` bytes; the `errno` of a failure.
    private static func put(
        _ pieces: [UnsafeRawBufferPointer], to file: LogFile, at position: Int, limit: Int
    ) -> Int32? {
        var done = 0
        for piece in pieces {
            var at = 0
            let end = min(piece.count, limit - done)
            while at < end {
                guard let base = piece.baseAddress else { break }
                let count = pwrite(file.descriptor, base + at, end - at, off_t(position + done + at))
                if count < 0 && errno == EINTR { continue }
                // No bytes and no error is what no file system should say; it is not success.
                guard count > 0 else { return count < 0 ? errno : EIO }
                at += count
            }
            done += at
        }
        return nil
    }

    /// What reached the file of a refused write is taken back. Where even that fails nothing is lost: the next write goes
    /// to the same place, and recovery cuts what has no right checksum.
    private func refused(_ file: LogFile, _ position: Int?, _ code: Int32) -> StorageError {
        if let position { ftruncate(file.descriptor, off_t(position)) }
        let error = StorageError(.write, file.path, code: code)
        let nowMs = clock.monotonicNs() / 1_000_000
        if complainedMs.map({ nowMs - $0 >= Self.complaintIntervalMs }) ?? true {
            say("\(error); nothing is acknowledged that is not stored: clients are told to try again")
            isComplaining = true
        }
        complainedMs = nowMs
        return error
    }

    private func relax() {
        // A full disk takes a small write now and then: only a while without a refusal is worth saying.
        let nowMs = clock.monotonicNs() / 1_000_000
        guard let complainedMs, nowMs - complainedMs >= 1000 else { return }
        isComplaining = false
        self.complainedMs = nil
        say("the disk takes writes again")
    }
}

/// Closes a descriptor. (Here, so that files without Glibc can own one.)
func closeDescriptor(_ descriptor: Int32) { close(descriptor) }
