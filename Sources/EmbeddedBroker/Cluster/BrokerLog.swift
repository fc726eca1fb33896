import Glibc

/// The broker's few words, on standard error.
enum BrokerLog {
    /// Something an operator should know.
    static func warn(_ text: String) {
        let line = Array("broker: \(text)\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
    }
}
