import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.DescribeTopicsResult;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** One story's clients, by name, and what each verb means to them. */
final class Story {
  static final Map<String, String> LACKS = Collections.emptyMap();

  private final Properties common = new Properties();
  private final JsonNode timers;
  private final Duration deadline;
  private final Map<String, KafkaProducer<byte[], byte[]>> producers = new HashMap<>();
  private final Map<String, Consuming> consumers = new HashMap<>();
  private Admin admin;

  Story(String bootstrap, JsonNode timers) {
    this.timers = timers;
    deadline = Duration.ofMillis(timers.get("deadline_ms").asLong());
    common.put("bootstrap.servers", bootstrap);
    common.put("retry.backoff.ms", timers.get("retry_backoff_ms").asText());
    common.put("reconnect.backoff.ms", timers.get("retry_backoff_ms").asText());
    common.put("reconnect.backoff.max.ms", "50");
    common.put("request.timeout.ms", timers.get("request_timeout_ms").asText());
  }

  Object obey(String verb, JsonNode order) throws Exception {
    switch (verb) {
      case "produce":
        return produce(order);
      case "transact":
        return transact(order);
      case "loop":
        return loop(order);
      case "open_reader":
        return openReader(order);
      case "take":
        return reader(order).take(order.get("count").asInt(), order.get("wait_ms").asLong());
      case "seek":
        return reader(order).seek(order.get("partition").asInt(), order.get("offset").asLong());
      case "pause":
        return reader(order).pause(order.get("partition").asInt());
      case "resume":
        return reader(order).resume(order.get("partition").asInt());
      case "close_reader":
        return consumers.remove(order.get("reader").asText()).close(deadline);
      case "offset_at":
        return offsetAt(order);
      case "join":
        return join(order);
      case "poll":
        return member(order).poll(order.get("wait_ms").asLong());
      case "commit":
        return member(order).commit(order.get("offsets"), deadline);
      case "leave":
        return consumers.remove(order.get("member").asText()).close(deadline);
      case "close":
        return close();
      default:
        return administer(verb, order.get("topic").asText(), order.path("partitions").asInt());
    }
  }

  private Object produce(JsonNode order) throws Exception {
    String acks = order.get("acks").asText();
    String codec = order.get("codec").asText();
    boolean idempotent = order.get("idempotent").asBoolean();
    KafkaProducer<byte[], byte[]> producer =
        producers.computeIfAbsent(
            acks + codec + idempotent,
            manner -> {
              Properties settings = with("acks", acks, "compression.type", codec);
              // On by default from 3.0; told to, so that plain producers are judged as well.
              settings.put("enable.idempotence", String.valueOf(idempotent));
              return producer(settings);
            });
    List<Long> offsets = send(producer, order);
    return acks.equals("0") ? null : offsets;
  }

  private Object transact(JsonNode order) throws Exception {
    Properties settings = with("transactional.id", order.get("transactional_id").asText());
    try (KafkaProducer<byte[], byte[]> producer = producer(settings)) {
      producer.initTransactions();
      producer.beginTransaction();
      send(producer, order);
      if (order.get("commit").asBoolean()) {
        producer.commitTransaction();
      } else {
        producer.abortTransaction();
      }
    }
    return null;
  }

  private Object loop(JsonNode order) {
    Properties reading = with("group.id", order.get("group").asText());
    reading.put("session.timeout.ms", timers.get("session_timeout_ms").asText());
    reading.put("heartbeat.interval.ms", timers.get("heartbeat_interval_ms").asText());
    reading.put("isolation.level", "read_committed");
    reading.put("max.poll.records", "1");
    Properties writing = with("transactional.id", order.get("transactional_id").asText());
    Loop loop = new Loop(consumer(reading), () -> producer(writing), order, deadline);
    return loop.run(order.get("idle_ms").asLong());
  }

  private List<Long> send(KafkaProducer<byte[], byte[]> producer, JsonNode order) throws Exception {
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    for (JsonNode line : order.get("records")) {
      sent.add(producer.send(Lines.toSend(order.get("topic").asText(), line)));
    }
    producer.flush();
    List<Long> offsets = new ArrayList<>();
    for (Future<RecordMetadata> one : sent) {
      offsets.add(one.get().offset());
    }
    return offsets;
  }

  private Object openReader(JsonNode order) {
    String isolation =
        order.get("committed_only").asBoolean() ? "read_committed" : "read_uncommitted";
    KafkaConsumer<byte[], byte[]> consumer = consumer(with("isolation.level", isolation));
    String topic = order.get("topic").asText();
    List<TopicPartition> assigned = new ArrayList<>();
    order.get("partitions").forEach(number -> assigned.add(new TopicPartition(topic, number.asInt())));
    consumer.assign(assigned);
    JsonNode start = order.get("start");
    if (start.asText().equals("beginning")) {
      consumer.seekToBeginning(assigned);
    } else if (start.asText().equals("end")) {
      consumer.seekToEnd(assigned);
      assigned.forEach(at -> consumer.position(at, deadline)); // asks the broker what the end is
    } else {
      assigned.forEach(at -> consumer.seek(at, start.asLong()));
    }
    consumers.put(order.get("reader").asText(), new Consuming(consumer, topic));
    return null;
  }

  private Object offsetAt(JsonNode order) {
    TopicPartition at =
        new TopicPartition(order.get("topic").asText(), order.get("partition").asInt());
    JsonNode moment = order.get("moment");
    try (KafkaConsumer<byte[], byte[]> consumer = consumer(with())) {
      switch (moment.asText()) {
        case "earliest":
          return consumer.beginningOffsets(Collections.singleton(at), deadline).get(at);
        case "latest":
          return consumer.endOffsets(Collections.singleton(at), deadline).get(at);
        default:
          OffsetAndTimestamp found =
              consumer.offsetsForTimes(Collections.singletonMap(at, moment.asLong()), deadline).get(at);
          return found == null ? null : found.offset();
      }
    }
  }

  private Object join(JsonNode order) {
    Properties settings = with("group.id", order.get("group").asText());
    settings.put("session.timeout.ms", timers.get("session_timeout_ms").asText());
    settings.put("heartbeat.interval.ms", timers.get("heartbeat_interval_ms").asText());
    settings.put("enable.auto.commit", order.get("auto_commit").asText());
    settings.put("partition.assignment.strategy", assignor(order.get("strategy").asText()));
    if (!order.get("instance").isNull()) {
      settings.put("group.instance.id", order.get("instance").asText());
    }
    Consuming member = new Consuming(consumer(settings), order.get("topic").asText());
    member.subscribe();
    consumers.put(order.get("member").asText(), member);
    return null;
  }

  private static String assignor(String strategy) {
    String packaged = "org.apache.kafka.clients.consumer.";
    switch (strategy) {
      case "range":
        return packaged + "RangeAssignor";
      case "roundrobin":
        return packaged + "RoundRobinAssignor";
      case "sticky":
        return packaged + "StickyAssignor";
      default:
        return packaged + "CooperativeStickyAssignor";
    }
  }

  private Object administer(String verb, String topic, int partitions) throws Exception {
    if (admin == null) {
      admin = Admin.create(common); // made on first use: most stories need none
    }
    switch (verb) {
      case "create_topic":
        NewTopic wanted = new NewTopic(topic, partitions, (short) 1);
        return admin.createTopics(Collections.singleton(wanted)).all().get();
      case "add_partitions":
        NewPartitions total = NewPartitions.increaseTo(partitions);
        return admin.createPartitions(Collections.singletonMap(topic, total)).all().get();
      case "delete_topic":
        return admin.deleteTopics(Collections.singleton(topic)).all().get();
      case "partition_count":
        return partitionCount(topic);
      default:
        throw new IllegalArgumentException("no verb " + verb);
    }
  }

  @SuppressWarnings("unchecked")
  private Integer partitionCount(String topic) throws Exception {
    DescribeTopicsResult asked = admin.describeTopics(Collections.singleton(topic));
    // Renamed in 3.1, and the old name is gone in 4.0: no name is in all releases.
    String name = hasMethod("allTopicNames") ? "allTopicNames" : "all";
    Object described = DescribeTopicsResult.class.getMethod(name).invoke(asked);
    try {
      return ((KafkaFuture<Map<String, TopicDescription>>) described)
          .get()
          .get(topic)
          .partitions()
          .size();
    } catch (ExecutionException failed) {
      if (failed.getCause() instanceof UnknownTopicOrPartitionException) {
        return null;
      }
      throw failed;
    }
  }

  private static boolean hasMethod(String name) {
    for (var method : DescribeTopicsResult.class.getMethods()) {
      if (method.getName().equals(name)) {
        return true;
      }
    }
    return false;
  }

  private Object close() {
    consumers.values().forEach(consumer -> consumer.close(deadline));
    producers.values().forEach(producer -> producer.close(deadline));
    if (admin != null) {
      admin.close(deadline);
    }
    return null;
  }

  private Properties with(String... pairs) {
    Properties settings = new Properties();
    settings.putAll(common);
    for (int at = 0; at < pairs.length; at += 2) {
      settings.put(pairs[at], pairs[at + 1]);
    }
    return settings;
  }

  private static KafkaProducer<byte[], byte[]> producer(Properties settings) {
    return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
  }

  private KafkaConsumer<byte[], byte[]> consumer(Properties settings) {
    settings.put("auto.offset.reset", "earliest");
    settings.putIfAbsent("enable.auto.commit", "false");
    settings.put("fetch.max.wait.ms", timers.get("fetch_max_wait_ms").asText());
    return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  private Consuming reader(JsonNode order) {
    return consumers.get(order.get("reader").asText());
  }

  private Consuming member(JsonNode order) {
    return consumers.get(order.get("member").asText());
  }
}
