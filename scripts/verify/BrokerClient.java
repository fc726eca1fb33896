import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ProducerFencedException;

/** Drives the embedded broker with the Java client: admin, transactions, groups. Run by broker_java.sh. */
public class BrokerClient {
    static String address;

    static Map<String, Object> with(Object... pairs) {
        Map<String, Object> map = new HashMap<>();
        map.put("bootstrap.servers", address);
        for (int i = 0; i < pairs.length; i += 2) map.put((String) pairs[i], pairs[i + 1]);
        return map;
    }

    static KafkaProducer<String, String> producer(Object... pairs) {
        String text = "org.apache.kafka.common.serialization.StringSerializer";
        Map<String, Object> map = with(pairs);
        map.put("key.serializer", text);
        map.put("value.serializer", text);
        return new KafkaProducer<>(map);
    }

    static KafkaConsumer<String, String> consumer(String group, Object... pairs) {
        String text = "org.apache.kafka.common.serialization.StringDeserializer";
        Map<String, Object> map = with(pairs);
        map.put("group.id", group);
        map.put("auto.offset.reset", "earliest");
        map.put("enable.auto.commit", "false");
        map.put("key.deserializer", text);
        map.put("value.deserializer", text);
        return new KafkaConsumer<>(map);
    }

    static void equal(Object found, Object expected) {
        if (!found.equals(expected)) throw new AssertionError("found " + found + ", expected " + expected);
    }

    static List<String> take(KafkaConsumer<String, String> consumer, int count) {
        List<String> values = new ArrayList<>();
        long deadline = System.currentTimeMillis() + 20_000;
        while (values.size() < count) {
            if (System.currentTimeMillis() > deadline) throw new AssertionError(values.size() + " of " + count);
            for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
                values.add(record.value());
            }
        }
        return values;
    }

    public static void main(String[] arguments) throws Exception {
        address = arguments[0];
        String run = Long.toHexString(System.nanoTime());
        String topic = "java-" + run;
        try (Admin admin = Admin.create(with())) {
            admin.createTopics(List.of(new NewTopic(topic, 3, (short) 1))).all().get();
            equal(admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size(), 3);
            equal(admin.describeCluster().nodes().get().size(), 1);
            System.out.println("admin ok");

            List<String> expected = new ArrayList<>();
            try (KafkaProducer<String, String> plain = producer("compression.type", "lz4")) {
                for (int i = 0; i < 1000; i++) {
                    plain.send(new ProducerRecord<>(topic, i % 3, null, "plain" + i));
                    expected.add("plain" + i);
                }
            }
            KafkaProducer<String, String> first = producer("transactional.id", "java-" + run);
            first.initTransactions();
            for (int round = 0; round < 10; round++) {
                first.beginTransaction();
                for (int i = 0; i < 10; i++) {
                    first.send(new ProducerRecord<>(topic, i % 3, null, round + "-" + i));
                    if (round % 2 == 0) expected.add(round + "-" + i);
                }
                if (round % 2 == 0) first.commitTransaction(); else first.abortTransaction();
            }
            System.out.println("transactions ok");
            first.beginTransaction();
            first.send(new ProducerRecord<>(topic, "lost")).get();
            KafkaProducer<String, String> second = producer("transactional.id", "java-" + run);
            second.initTransactions();
            try {
                first.commitTransaction();
                throw new AssertionError("the zombie committed");
            } catch (ProducerFencedException fenced) {
                System.out.println("fencing ok");
            }
            first.close(Duration.ZERO);
            for (String assignor : List.of("RangeAssignor", "CooperativeStickyAssignor")) {
                String group = assignor + run;
                KafkaConsumer<String, String> reader = consumer(group, "isolation.level", "read_committed",
                    "partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor);
                reader.subscribe(List.of(topic));
                List<String> values = take(reader, expected.size());
                Collections.sort(values);
                List<String> sorted = new ArrayList<>(expected);
                Collections.sort(sorted);
                equal(values, sorted);
                second.beginTransaction();
                second.send(new ProducerRecord<>(topic, 0, null, "offsets"));
                Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                for (TopicPartition partition : reader.assignment()) {
                    offsets.put(partition, new OffsetAndMetadata(reader.position(partition), "note"));
                }
                second.sendOffsetsToTransaction(offsets, reader.groupMetadata());
                second.commitTransaction();
                expected.add("offsets");
                equal(reader.committed(offsets.keySet()), offsets);
                reader.close();
                System.out.println(assignor + " ok");
            }
            second.close();
            equal(admin.listConsumerGroups().all().get().isEmpty(), false);
            admin.deleteTopics(List.of(topic)).all().get();
        }
        System.out.println("all ok");
    }
}
