import Glibc

// A reader that has gone (`| head`) shows as EPIPE where we write, not as a signal that kills the process.
signal(SIGPIPE, SIG_IGN)
exit(Program.run(Array(CommandLine.arguments.dropFirst())))
