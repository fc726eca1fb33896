import Glibc

/// What the kernel says of this process's memory.
public enum ProcessMemory {
    /// The largest resident set so far, bytes.
    public static func peakRSSBytes() -> Int64 {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Int64(usage.ru_maxrss) * 1024
    }
}
