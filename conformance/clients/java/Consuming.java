import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/** A consumer, be it of partitions assigned by hand or a member of a group; and its topic. */
final class Consuming implements ConsumerRebalanceListener {
  private static final Duration SHORT = Duration.ofMillis(50);

  private final KafkaConsumer<byte[], byte[]> consumer;
  private final String topic;
  // One poll may give more than is asked for; the surplus is for the next asking.
  private final Queue<Map<String, Object>> surplus = new ArrayDeque<>();
  private int rebalances;

  Consuming(KafkaConsumer<byte[], byte[]> consumer, String topic) {
    this.consumer = consumer;
    this.topic = topic;
  }

  void subscribe() {
    consumer.subscribe(Collections.singleton(topic), this);
  }

  @Override
  public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
    rebalances++;
  }

  @Override
  public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
    // Nothing to hand over: stories commit when they say so.
  }

  List<Map<String, Object>> take(int count, long waitMs) {
    long end = System.nanoTime() + Duration.ofMillis(waitMs).toNanos();
    while (surplus.size() < count && System.nanoTime() < end) {
      receive(SHORT);
    }
    List<Map<String, Object>> taken = new ArrayList<>();
    while (taken.size() < count && !surplus.isEmpty()) {
      taken.add(surplus.remove());
    }
    return taken;
  }

  Map<String, Object> poll(long waitMs) {
    receive(Duration.ofMillis(waitMs));
    Map<String, Object> told = new HashMap<>();
    told.put("records", new ArrayList<>(surplus));
    surplus.clear();
    TreeSet<Integer> owned = new TreeSet<>();
    consumer.assignment().forEach(at -> owned.add(at.partition()));
    told.put("owned", owned);
    told.put("rebalances", rebalances);
    return told;
  }

  private void receive(Duration wait) {
    for (ConsumerRecord<byte[], byte[]> record : consumer.poll(wait)) {
      surplus.add(Lines.received(record));
    }
  }

  Object seek(int partition, long offset) {
    surplus.clear();
    consumer.seek(at(partition), offset);
    return null;
  }

  Object pause(int partition) {
    consumer.pause(Collections.singleton(at(partition)));
    return null;
  }

  Object resume(int partition) {
    consumer.resume(Collections.singleton(at(partition)));
    return null;
  }

  Object commit(JsonNode offsets, Duration deadline) {
    if (offsets.isNull()) {
      consumer.commitSync(deadline);
      return null;
    }
    Map<TopicPartition, OffsetAndMetadata> chosen = new HashMap<>();
    offsets
        .fields()
        .forEachRemaining(
            one ->
                chosen.put(
                    at(Integer.parseInt(one.getKey())),
                    new OffsetAndMetadata(one.getValue().asLong())));
    consumer.commitSync(chosen, deadline);
    return null;
  }

  Object close(Duration deadline) {
    consumer.close(deadline);
    return null;
  }

  private TopicPartition at(int partition) {
    return new TopicPartition(topic, partition);
  }
}
