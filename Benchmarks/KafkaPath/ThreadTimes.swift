import Glibc

/// How long each thread of this process has run, as the kernel counts it.
struct ThreadTimes {
    /// Seconds on a core by the thread's name; threads of one name together.
    private(set) var seconds: [String: Double] = [:]

    /// The threads there are now. Those that have ended are not among them.
    init() {
        guard let folder = opendir("/proc/self/task") else { return }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let id = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard let number = Int32(id), let name = Self.line("/proc/self/task/\(id)/comm") else { continue }
            // A thread's clock by its id, as the kernel makes it: 2 counts time on a core, 4 that of one thread. It is
            // up to date, which /proc is not.
            var time = timespec()
            guard clock_gettime(~number << 3 | 6, &time) == 0 else { continue }
            seconds[name, default: 0] += Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
    }

    /// All but librdkafka's own threads (`rdk:…`): this program's.
    var own: Double { seconds.reduce(0) { $1.key.hasPrefix("rdk:") ? $0 : $0 + $1.value } }
    var all: Double { seconds.values.reduce(0, +) }

    private static func line(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var text = [CChar](repeating: 0, count: 256)
        guard fgets(&text, Int32(text.count), file) != nil else { return nil }
        return String(decoding: text.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
