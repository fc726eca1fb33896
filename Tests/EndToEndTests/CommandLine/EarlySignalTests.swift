import Glibc
import Platform
import StreamEngine
import TestSupport
import Testing

/// SIGINT and SIGTERM from the program's first moment on: always the documented exit code, never the system's default action.
@Suite(.serialized) struct EarlySignalTests {
    /// Nothing listens there: the job waits for its broker until it is stopped.
    static let job = """
        name: early
        kafka: {brokers: "127.0.0.1:1"}
        sources:
          metrics: {kafka: {topics: [metrics]}, format: prometheus}
        queries:
          - {name: q, window: {size: 10s}, aggregates: {n: count()}, sinks: [{console: {}}]}
        """
    static let signals: [(signal: Int32, code: Int32)] = [(SIGTERM, 143), (SIGINT, 130)]

    /// Waits until the started program's first statement is done: from there on the signal has a handler. What comes before
    /// (fork, env, the dynamic linker) is not the program's.
    private static func waitForMain(_ program: RunningProgram) throws {
        try waitUntil("the handler", state: { (try? program.errors()) ?? "" }, pauseMs: 0) {
            let status = try PosixFileSystem().readAll("/proc/\(program.pid)/status", limit: 1 << 16)
            let lines = String(decoding: status, as: UTF8.self).split(separator: "\n")
            func value(_ key: String) -> Substring {
                lines.first { $0.hasPrefix(key) }?.split(separator: "\t").last ?? ""
            }
            let caught = UInt64(value("SigCgt:"), radix: 16) ?? 0
            if value("Name:") == "stream-job", caught & 1 << UInt64(SIGTERM - 1) != 0 { return true }
            sched_yield()
            return false
        }
    }

    /// The signal comes after ever more of the start: in `main`, while the job is read, while signals change hands, while the
    /// broker is asked for.
    @Test(arguments: signals, ["--available-now", "--once", "--standby"])
    func atEveryMomentOfTheStart(_ signal: (signal: Int32, code: Int32), _ flag: String) throws {
        let scratch = try Scratch()
        let job = try scratch.write(Self.job, to: "job.yaml")
        for step in 0..<6 {
            let program = try BuiltProgram.start(BuiltProgram.path, ["run", job, flag], in: scratch)
            try Self.waitForMain(program)
            // The time is the case: how much of the start is over. Any is right.
            usleep(UInt32(step * step * 2000))
            program.signal(signal.signal)
            let result = try program.result()
            #expect(try program.endingSignal() == nil, "step \(step)")
            #expect(result.code == signal.code, "step \(step): \(result.errors)")
            #expect(
                result.errors.contains("stopped before it began")
                    || result.errors.contains("stopping after this epoch"),
                "step \(step): \(result.errors)")
        }
    }

    /// A parent that has the signals blocked (a thread pool's thread, as here) hands that on: they wait until `main` takes them.
    @Test(arguments: signals)
    func blockedByWhoStartedIt(_ signal: (signal: Int32, code: Int32)) throws {
        let scratch = try Scratch()
        let job = try scratch.write(Self.job, to: "job.yaml")
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, signal.signal)
        var before = sigset_t()
        pthread_sigmask(SIG_BLOCK, &set, &before)
        let program = try BuiltProgram.start(BuiltProgram.path, ["run", job], in: scratch)
        pthread_sigmask(SIG_SETMASK, &before, nil)
        program.signal(signal.signal)
        let result = try program.result()
        #expect(try program.endingSignal() == nil)
        #expect(result.code == signal.code)
        #expect(result.errors == "stopped before it began\n")
    }

    /// The job is read from a pipe whose writer has not written it yet: there is nothing to wait for.
    @Test(arguments: signals, [["run"], ["replay", "--output", "out"]])
    func whileTheJobIsRead(_ signal: (signal: Int32, code: Int32), _ command: [String]) throws {
        let scratch = try Scratch()
        let pipe = scratch.file("job.yaml")
        try #require(mkfifo(pipe, 0o600) == 0)
        let program = try BuiltProgram.start(BuiltProgram.path, command + [pipe], in: scratch)
        let writer = open(pipe, O_WRONLY)  // returns when the program has opened it
        defer { close(writer) }
        program.signal(signal.signal)
        let result = try program.result()
        #expect(try program.endingSignal() == nil)
        #expect(result.code == signal.code, "\(result.errors)")
        #expect(result.errors == "stopped before it began\n")
        #expect(result.output.isEmpty)
    }

    /// A command without anything to finish is ended by the signal itself: a shell's loop over such commands ends too.
    @Test func aCommandWithNothingToFinish() throws {
        let scratch = try Scratch()
        let pipe = scratch.file("job.yaml")
        try #require(mkfifo(pipe, 0o600) == 0)
        let program = try BuiltProgram.start(BuiltProgram.path, ["validate", pipe], in: scratch)
        let writer = open(pipe, O_WRONLY)
        defer { close(writer) }
        program.signal(SIGINT)
        #expect(try program.endingSignal() == SIGINT)
    }

    /// Threads take a stack of `ulimit -s` each: of this size there is none.
    @Test(arguments: ["run", "replay", "generate", "broker", "demo"])
    func aRefusedThreadEndsTheProgramWithAReason(_ command: String) throws {
        let scratch = try Scratch()
        let job = try scratch.write(Self.job, to: "job.yaml")
        let arguments: [String] =
            switch command {
            case "run": [job]
            case "replay": [job, "--input", "metrics=\(job)", "--output", "out"]
            case "generate": ["--output", "gen"]
            case "broker": ["--memory", "--listen", "127.0.0.1:0"]
            default: []
            }
        let program = try BuiltProgram.start(
            "prlimit", ["--stack=\(1 << 46):unlimited", BuiltProgram.path, command] + arguments, in: scratch)
        let result = try program.result()
        #expect(result.code == 1, "\(result.errors)")
        #expect(result.errors.contains("error: the system refused a thread ("), "\(result.errors)")
        #expect(result.errors.contains("raise the limit on processes and threads"))
    }
}
