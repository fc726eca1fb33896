import CLinux
import Glibc

// From here on SIGINT and SIGTERM end the process with their documented exit code.
Signals.endEarly()
// A reader that has gone (`| head`) shows as EPIPE where we write, not as a signal that kills the process.
signal(SIGPIPE, SIG_IGN)
// glibc raises the size from which it takes memory page by page as big blocks are freed; they then come from the heap, where
// small ones pin them. Fixed, the buffers of one input file after another go back to the system.
mallopt(M_MMAP_THRESHOLD, 64 << 10)
mallopt(M_TRIM_THRESHOLD, 128 << 10)
mallopt(M_TOP_PAD, 64 << 10)
exit(Program.run(Array(CommandLine.arguments.dropFirst())))
