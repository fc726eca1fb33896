/// A port for a server that goes down and comes back: below those that Linux gives to whoever asks for any (from 32768 on,
/// `ip_local_port_range`), so that nobody has it meanwhile. `start` is tried with one after another until it takes it.
public func withOwnPort<T>(_ start: (UInt16) throws -> T) throws -> T {
    for _ in 0..<50 {
        if let started = try? start(.random(in: 15_000..<32_000)) { return started }
    }
    return try start(.random(in: 15_000..<32_000))
}
