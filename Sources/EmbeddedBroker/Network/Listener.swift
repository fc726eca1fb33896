import Glibc

/// A listening TCP socket.
final class Listener {
    let descriptor: Int32
    let port: UInt16
    /// Given up to accept, and refuse, a connection when the process has no descriptor left.
    private var spare: Int32

    /// Listens on an address or name; port 0 picks a free one.
    init(host: String, port: UInt16) throws(BrokerError) {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE
        var found: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &found)
        guard status == 0, let address = found else {
            throw BrokerError("cannot listen on \(host):\(port): \(String(cString: gai_strerror(status)))")
        }
        defer { freeaddrinfo(found) }
        let flags = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let socket = Glibc.socket(address.pointee.ai_family, flags, 0)
        var yes: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard socket >= 0, bind(socket, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0,
            listen(socket, 512) == 0
        else {
            let reason = String(cString: strerror(errno))
            if socket >= 0 { close(socket) }
            throw BrokerError("cannot listen on \(host):\(port): \(reason)")
        }
        descriptor = socket
        spare = open("/dev/null", O_RDONLY | O_CLOEXEC)
        var bound = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        withUnsafeMutableBytes(of: &bound) { bytes in
            if let base = bytes.baseAddress {
                getsockname(socket, base.assumingMemoryBound(to: sockaddr.self), &length)
            }
        }
        // The port is at the same place for IPv4 and IPv6.
        self.port = withUnsafeBytes(of: &bound) { UInt16(bigEndian: $0.load(fromByteOffset: 2, as: UInt16.self)) }
    }

    deinit {
        close(descriptor)
        if spare >= 0 { close(spare) }
    }

    /// The next waiting connection, with its address; nil: none waits.
    func accept() -> (descriptor: Int32, host: String)? {
        var peer = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let accepted = withUnsafeMutableBytes(of: &peer) { bytes -> Int32 in
            guard let base = bytes.baseAddress else { return -1 }
            return Glibc.accept(descriptor, base.assumingMemoryBound(to: sockaddr.self), &length)
        }
        guard accepted >= 0 else {
            if errno == EMFILE || errno == ENFILE { refuseOne() }
            return nil
        }
        _ = fcntl(accepted, F_SETFL, O_NONBLOCK)
        _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
        var yes: Int32 = 1
        setsockopt(accepted, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        var name = [CChar](repeating: 0, count: 64)
        withUnsafeBytes(of: &peer) { bytes in
            if let base = bytes.baseAddress {
                getnameinfo(
                    base.assumingMemoryBound(to: sockaddr.self), length, &name, socklen_t(name.count), nil, 0,
                    NI_NUMERICHOST)
            }
        }
        let host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return (accepted, host)
    }

    /// Without this a connection that cannot be accepted would wake the loop for ever.
    private func refuseOne() {
        if spare >= 0 { close(spare) }
        let refused = Glibc.accept(descriptor, nil, nil)
        if refused >= 0 { close(refused) }
        spare = open("/dev/null", O_RDONLY | O_CLOEXEC)
    }
}
