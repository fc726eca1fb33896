import EmbeddedBroker
import Glibc
import Platform

extension Command {
    /// `stream-job broker`
    static let broker = Command(
        name: "broker", summary: "run an embedded Kafka broker, for development and demos", operands: "",
        details: """
            One node that speaks Kafka's protocol to unmodified clients: topics, groups, transactions. It survives
            kill -9, but syncs nothing to the disk and has no replicas and no authentication: never for production.
            Without --data and --memory its data is in ./broker-data. Stops on SIGTERM and Ctrl-C.
            --config takes group.min.session.timeout.ms (6000), group.initial.rebalance.delay.ms (0), and
            transaction.marker.delay.ms (5), the time from a transaction's end until its markers are written.
            """,
        flags: [
            .listen, .dataDirectory, .memory, .topics, .noAutoCreate, .partitions, .advertise, .adminPort, .fault,
            .seed, .brokerConfig,
        ],
        examples: [
            "stream-job broker --memory --topics metrics:4,events:1",
            "stream-job broker --listen 127.0.0.1:9092 --data /tmp/broker",
            "stream-job broker --memory --admin-port 9093 --fault 'error Produce NOT_LEADER_OR_FOLLOWER 3'",
        ],
        run: BrokerCommand.run)
}

extension Flag {
    fileprivate static let listen = Flag.valued("--listen", "HOST:PORT", "default 127.0.0.1:9092; port 0 picks one")
    fileprivate static let dataDirectory = Flag.valued("--data", "DIR", "keep the data here")
    fileprivate static let memory = Flag.option("--memory", "keep the data in memory and forget it at the end")
    fileprivate static let topics = Flag.valued(
        "--topics", "NAME:PARTITIONS,…", "make these topics unless they exist", isRepeatable: true)
    fileprivate static let noAutoCreate = Flag.option(
        "--no-auto-create", "do not make topics that clients name")
    fileprivate static let partitions = Flag.valued(
        "--partitions", "N", "partitions of topics made on the way (default 1)")
    fileprivate static let advertise = Flag.valued(
        "--advertise", "HOST", "name clients are told to connect to (default: the one listened on)")
    fileprivate static let adminPort = Flag.valued(
        "--admin-port", "PORT", "take fault commands on this port of the same host, one a line")
    fileprivate static let fault = Flag.valued(
        "--fault", "COMMAND", "put a fault in force from the start", isRepeatable: true)
    fileprivate static let seed = Flag.valued("--seed", "N", "seed of faults and ids")
    fileprivate static let brokerConfig = Flag.valued(
        "--config", "NAME=MS", "a time as a broker's configuration names it, see above", isRepeatable: true)
}

/// What `broker` does.
private enum BrokerCommand {
    @Sendable
    static func run(_ arguments: ParsedArguments, _ console: Console) throws(UsageError) -> Int32 {
        if let extra = arguments.positionals.first { throw UsageError("`broker` takes no operand, found `\(extra)`") }
        let configuration = try configuration(arguments)
        let faults = try arguments.values(.fault).map(command)
        let adminPort = try arguments.integer(.adminPort, in: 0...65535).map { UInt16($0) }

        // Each partition is an open file; take as many as the system grants.
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            limit.rlim_cur = limit.rlim_max
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        // Threads inherit the mask, so the signals wait for `sigwait` below.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGINT)
        sigaddset(&signals, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        let broker = EmbeddedBroker(configuration)
        do throws(BrokerError) {
            try broker.start(adminPort: adminPort)
        } catch {
            console.error(error.description, hint: "")
            return ExitCode.failed
        }
        for fault in faults {
            let answer = broker.faults.run(fault)
            if answer != "ok" { console.note("fault: \(answer)\n") }
        }
        announce(broker, console)
        // A crash on demand must look like one to whoever watches the process.
        do throws(ThreadFailure) {
            _ = try Thread(name: "broker-end") {
                if broker.waitUntilEnded() == .crashed { kill(getpid(), SIGKILL) }
            }
        } catch {
            broker.stop()
            console.error(error.description)
            return ExitCode.failed
        }
        var received: Int32 = 0
        sigwait(&signals, &received)
        broker.stop()
        return ExitCode.done
    }

    private static func announce(_ broker: EmbeddedBroker, _ console: Console) {
        let host = broker.configuration.host
        let address = (host.contains(":") ? "[\(host)]" : host) + ":\(broker.port)"
        let data = broker.configuration.dataDirectory.map { "data in \($0)" } ?? "in memory"
        console.out("listening on \(address)\n")
        if let admin = broker.adminPort { console.out("fault commands on \(host):\(admin)\n") }
        console.note("Kafka protocol, one node, \(data); for development, not for production\n")
        console.note("try: kcat -b \(address) -L\n")
    }

    private static func configuration(_ arguments: ParsedArguments) throws(UsageError) -> BrokerConfiguration {
        var configuration = BrokerConfiguration()
        (configuration.host, configuration.port) = try address(arguments.value(.listen) ?? "127.0.0.1:9092")
        if arguments.has(.memory) {
            guard !arguments.has(.dataDirectory) else { throw UsageError("`--memory` and `--data` exclude each other") }
        } else {
            configuration.dataDirectory = arguments.value(.dataDirectory) ?? "broker-data"
        }
        for list in arguments.values(.topics) {
            for item in list.split(separator: ",") { configuration.topics.append(try topic(item)) }
        }
        configuration.createsTopics = !arguments.has(.noAutoCreate)
        configuration.defaultPartitions = try arguments.integer(.partitions, in: 1...10_000) ?? 1
        configuration.advertisedHost = arguments.value(.advertise)
        configuration.seed = try arguments.integer(.seed, in: 0...Int.max).map { UInt64($0) }
        for setting in arguments.values(.brokerConfig) { try set(setting, in: &configuration) }
        return configuration
    }

    private static func set(_ text: String, in configuration: inout BrokerConfiguration) throws(UsageError) {
        let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2, let milliseconds = Int32(parts[1]), (0...3_600_000).contains(milliseconds) else {
            throw UsageError("`--config` takes NAME=MS, milliseconds up to an hour, found `\(text)`")
        }
        switch parts[0] {
        case "group.min.session.timeout.ms": configuration.groupMinSessionTimeoutMs = milliseconds
        case "group.initial.rebalance.delay.ms": configuration.groupInitialRebalanceDelayMs = milliseconds
        case "transaction.marker.delay.ms": configuration.transactionMarkerDelayMs = Int64(milliseconds)
        default:
            throw UsageError(
                "`--config` knows no `\(parts[0])`",
                hint: "group.min.session.timeout.ms, group.initial.rebalance.delay.ms, transaction.marker.delay.ms")
        }
    }

    private static func address(_ text: String) throws(UsageError) -> (String, UInt16) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            throw UsageError("`--listen` takes HOST:PORT, found `\(text)`", hint: "such as 127.0.0.1:9092")
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        return (host.isEmpty ? "0.0.0.0" : String(host), port)
    }

    private static func topic(_ text: Substring) throws(UsageError) -> BrokerConfiguration.NewTopic {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, let partitions = parts.count == 2 ? Int(parts[1]) : 1, partitions >= 1 else {
            throw UsageError("`--topics` takes NAME:PARTITIONS, found `\(text)`", hint: "such as metrics:4")
        }
        return BrokerConfiguration.NewTopic(String(parts[0]), partitions: partitions)
    }

    private static func command(_ text: String) throws(UsageError) -> FaultCommand {
        do throws(BrokerError) {
            return try FaultCommand(text)
        } catch {
            throw UsageError("`--fault`: \(error.description)")
        }
    }
}
