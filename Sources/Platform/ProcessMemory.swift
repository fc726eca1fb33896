import CLinux
import Glibc

/// What the kernel says of this process's memory.
public enum ProcessMemory {
    /// The largest resident set so far, bytes: `VmHWM` of proc_pid_status(5). getrusage(2) would count the program that started
    /// this one too, where that was larger; it answers where /proc is not mounted.
    public static func peakRSSBytes() -> Int64 {
        if let status = try? PosixFileSystem().readAll("/proc/self/status", limit: 1 << 16),
            let line = String(decoding: status, as: UTF8.self).split(separator: "\n").first(where: {
                $0.hasPrefix("VmHWM:")
            }),
            let kibibytes = line.split(whereSeparator: { " \t".contains($0) }).dropFirst().first.flatMap({ Int64($0) })
        {
            return kibibytes * 1024
        }
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Int64(usage.ru_maxrss) * 1024
    }

    /// Fits glibc's allocator to a batch run of `workers` threads, which takes and frees large columns all the time: they come
    /// from the heap, whose pages stay, where else each would be pages taken from the kernel, cleared and given back. Few
    /// threads share one heap, so that what one has freed serves the others. `trim` gives free pages back. Called before
    /// threads begin.
    public static func keepFreedPages(workers: Int) {
        mallopt(M_MMAP_THRESHOLD, 1 << 20)
        mallopt(M_TRIM_THRESHOLD, 4 << 20)
        mallopt(M_ARENA_MAX, Int32(truncatingIfNeeded: max(1, workers / 2)))
    }

    /// Fits glibc's allocator to a process that reads brokers without end: the buffers of their answers (some MiB each, in
    /// librdkafka's threads) and what an epoch's rows need come from the heap and stay there up to a bound, where else each
    /// would be pages taken from the kernel, cleared and given back. Called before threads begin.
    public static func keepBuffers() {
        mallopt(M_MMAP_THRESHOLD, 8 << 20)
        mallopt(M_TRIM_THRESHOLD, 16 << 20)
        mallopt(M_TOP_PAD, 1 << 20)
    }

    /// Gives all free pages of the heap back to the kernel, also those between others.
    public static func trim() { malloc_trim(0) }
}
