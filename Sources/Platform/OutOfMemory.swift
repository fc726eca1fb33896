import Glibc

/// The end of a process that cannot hold more: the system refuses memory (`ulimit -v`, a full machine without overcommit),
/// or a table has all that it can tell apart.
///
/// Nothing is thrown here: memory grows wherever something is put, per sample, and who caught the failure would need
/// memory to tell of it. What is on the disk is what a `kill -9` leaves, and the next start goes on from there.
public enum OutOfMemory {
    /// Ends the process with exit code 1, after one line on stderr: memory for `what` was refused. Asks for none itself.
    public static func end(_ what: StaticString, bytes: Int) -> Never {
        write("error: the system refused memory (")
        write(what)
        write(", ")
        writeNumber(bytes)
        write(
            " bytes); raise the limit (`ulimit -v`, a container's memory), or hold less: fewer series and groups, shorter "
        )
        write("windows; limits.maxStateBytes stops a job before it comes to this\n")
        _exit(1)
    }

    /// Ends the process with exit code 1, after `reason` on stderr, which says what is full and what to do.
    public static func end(_ reason: StaticString) -> Never {
        write("error: ")
        write(reason)
        write("\n")
        _exit(1)
    }

    private static func write(_ text: StaticString) {
        // Nobody is left to be told of a stderr that takes nothing.
        _ = Glibc.write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
    }

    private static func writeNumber(_ number: Int) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var rest = number.magnitude
            var first = digits.count
            repeat {
                first -= 1
                digits[first] = UInt8(truncatingIfNeeded: 0x30 + rest % 10)
                rest /= 10
            } while rest > 0
            if let base = digits.baseAddress { _ = Glibc.write(STDERR_FILENO, base + first, digits.count - first) }
        }
    }
}
