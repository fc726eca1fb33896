import Connectors
import Operators
import StreamEngine

extension Registries {
    /// Everything this program knows: the one place where formats, sinks, aggregates and functions are put together.
    static let standard: Registries = {
        var registries = Registries(
            formats: InputFormats.all, sinks: FileSinks.all + [KafkaSinkFactory { Console.logKafka($0) }],
            aggregates: Aggregates.all,
            bucketAggregates: BucketAggregates.all,
            seriesFunctions: SeriesFunctions.all,
            detectors: Detectors.all)
        registries.kafkaSettingCheck = { setting, _ in
            KafkaConfiguration.check(name: setting.name, value: setting.value).map { SettingComplaint($0) }
        }
        return registries
    }()
}
