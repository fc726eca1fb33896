import Glibc

/// A connection to the admin port: one `FaultCommand` a line, one line of answer each.
final class AdminSession {
    let descriptor: Int32
    let token: UInt64
    private unowned let loop: EventLoop
    private var line: [UInt8] = []
    private var isClosed = false

    init(descriptor: Int32, token: UInt64, loop: EventLoop) {
        self.descriptor = descriptor
        self.token = token
        self.loop = loop
    }

    deinit { Glibc.close(descriptor) }

    /// Ends the session.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        shutdown(descriptor, Int32(SHUT_RDWR))
        loop.forget(self)
    }

    /// Takes in what has arrived and answers each whole line.
    func readable() {
        let scratch = loop.scratch
        let received = recv(descriptor, scratch.baseAddress, min(scratch.count, 4096), 0)
        if received < 0 && (errno == EAGAIN || errno == EINTR) { return }
        guard received > 0 else { return close() }
        for byte in Array(scratch[..<received]) where !isClosed {
            if byte == UInt8(ascii: "\n") {
                answer(String(decoding: line, as: UTF8.self))
                line = []
            } else if line.count < 1000 {
                line.append(byte)
            } else {
                return close()
            }
        }
    }

    private func answer(_ text: String) {
        let response: String
        do throws(BrokerError) {
            response = try FaultCommand(text).apply(to: loop)
        } catch {
            response = "error: \(error)"
        }
        let bytes = Array((response + "\n").utf8)
        // A short line to a person or a script: who does not read it loses it.
        if send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) < bytes.count { close() }
    }
}
