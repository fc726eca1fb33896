import Connectors
import EmbeddedBroker
import Platform
import StreamEngine
import TestSupport
import Testing

/// `stream-job doctor` at the last link: sinks are tried, and nothing of the trial stays.
@Suite struct DoctorSinkTests {
    private static let toKafka = "queries.q.sinks=[{kafka: {topic: out}}]"

    private func records(of topic: String, _ patient: DoctorPatient) throws -> Int64 {
        let cluster = try KafkaCluster(KafkaConnection(brokers: patient.brokers))
        let bounds = try cluster.bounds(
            of: PartitionID(source: "", topic: topic, partition: 0), timeoutMs: Int(hungAfterMs))
        return bounds.high
    }

    @Test func aTopicIsTriedAndStaysEmpty() throws {
        let patient = try DoctorPatient(topics: [.init("out")])
        try patient.writeHealthy()
        // The trial comes to the broker: it survives a delay, which would not be met otherwise.
        try patient.broker.faults.add(.delay(milliseconds: 10), api: "Produce")
        let result = try patient.doctor(Self.toKafka)
        #expect(result.code == 0, "\(result.output)\(result.errors)")
        #expect(result.output.hasSuffix(" ok    sinks can be written: kafka out\n"), "\(result.output)")
        #expect(patient.broker.faults.hits == 1)
        #expect(try records(of: "out", patient) == 0)
    }

    /// What the broker says to a producer, and the mend.
    @Test(arguments: [
        (Int16(29), "Broker: Topic authorization failed", "grant Write on topic out to the user of this job"),
        (19, "Broker: Not enough in-sync replicas", "lower its min.insync.replicas"),
        (56, "Broker: Disk error when trying to access log file on disk", "look at the disk"),
    ])
    func aTopicThatMayNotBeWritten(_ code: Int16, _ text: String, _ mend: String) throws {
        let patient = try DoctorPatient(topics: [.init("out")])
        try patient.writeHealthy()
        try patient.broker.faults.add(.error(code), api: "Produce", times: 20)
        let result = try patient.doctor(Self.toKafka)
        #expect(result.code == 1)
        #expect(
            result.output.contains(" FAIL  query q: sink kafka out: topic out cannot be written: \(text)\n"),
            "\(result.output)")
        #expect(result.output.contains(mend), "\(result.output)")
    }

    /// A stale view of the leader is no finding.
    @Test func aLeaderThatMovedIsAskedAgain() throws {
        let patient = try DoctorPatient(topics: [.init("out")])
        try patient.writeHealthy()
        try patient.broker.faults.add(.error(6), api: "Produce")
        #expect(try patient.doctor(Self.toKafka).code == 0)
        #expect(patient.broker.faults.hits == 1)
    }

    @Test func withoutTheLimitNothingIsSent() throws {
        let patient = try DoctorPatient(topics: [.init("out")])
        try patient.writeHealthy()
        try patient.broker.faults.add(.error(29), api: "DescribeConfigs")
        try patient.broker.faults.add(.error(29), api: "Produce")
        let result = try patient.doctor(Self.toKafka)
        #expect(result.code == 0)
        #expect(
            result.output.contains(
                " warn  query q: sink kafka out: the topic is there; whether it may be written was not tried: "),
            "\(result.output)")
        #expect(patient.broker.faults.hits == 1)
    }

    @Test func aTopicOfSmallBatchesIsAWarning() throws {
        let patient = try DoctorPatient(topics: [.init("out", config: ["max.message.bytes": "20000"])])
        try patient.writeHealthy()
        let result = try patient.doctor(Self.toKafka)
        #expect(result.code == 0)
        #expect(
            result.output.contains(
                "the topic takes batches of at most 20,000 bytes, the sink makes them up to 1,000,000"),
            "\(result.output)")
        let fitting = "queries.q.sinks=[{kafka: {topic: out, producerOptions: {batch.size: \"20000\"}}}]"
        #expect(try !patient.doctor(fitting).output.contains("warn"))
    }

    @Test func aTopicToBeMadeIsAskedFor() throws {
        let patient = try DoctorPatient()
        try patient.writeHealthy()
        func create(_ replication: Int) throws -> ProgramResult {
            try patient.doctor(
                "queries.q.sinks=[{kafka: {topic: new, create: {partitions: 2, replication: \(replication)}}}]")
        }
        let fine = try create(1)
        #expect(fine.output.hasSuffix(" ok    sinks can be written: kafka new (to be made)\n"), "\(fine.output)")
        let wrong = try create(3)
        #expect(wrong.code == 1 && wrong.output.contains("replication factor 3"), "\(wrong.output)")
        let cluster = try KafkaCluster(KafkaConnection(brokers: patient.brokers))
        #expect(try cluster.partitionCounts(timeoutMs: Int(hungAfterMs)).keys.sorted() == ["metrics"])
    }

    /// Directories that are there, are missing, and cannot be made; the one with the checkpoint as well.
    @Test func directoriesAreTriedAndStayAsTheyAre() throws {
        let patient = try DoctorPatient()
        try patient.writeHealthy()
        let before = try PosixFileSystem().list(patient.scratch.path)
        let fine = try patient.doctor("queries.q.sinks=[{jsonl: {path: .}}, {jsonl: {path: a/b/c}}]")
        #expect(fine.code == 0, "\(fine.output)")
        let after = try PosixFileSystem().list(patient.scratch.path).filter { !$0.hasPrefix("std") }
        #expect(after == before.filter { !$0.hasPrefix("std") })
        let wrong = try patient.doctor("queries.q.sinks=[{jsonl: {path: /proc/rows}}]")
        #expect(wrong.code == 1 && wrong.output.contains(" FAIL  query q: sink jsonl /proc/rows: /proc: "))
        let checkpoint = try patient.doctor("checkpoint.location=job.yaml/state")
        #expect(checkpoint.code == 1)
        #expect(checkpoint.output.contains(" FAIL  checkpoint: job.yaml is no directory\n"), "\(checkpoint.output)")
    }
}
