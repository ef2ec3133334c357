import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Supplier;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.OutOfOrderSequenceException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.RetriableException;

/** A consume-transform-produce loop, as Kafka's own documentation has it; see looping.py. */
final class Loop {
  private static final Duration SHORT = Duration.ofMillis(100);

  private final KafkaConsumer<byte[], byte[]> consumer;
  private final Supplier<KafkaProducer<byte[], byte[]>> make;
  private final String to;
  private final boolean broken;
  private final Duration deadline;
  private KafkaProducer<byte[], byte[]> producer;
  private int committed;
  private int aborted;
  private int restarted;

  Loop(
      KafkaConsumer<byte[], byte[]> consumer,
      Supplier<KafkaProducer<byte[], byte[]>> make,
      JsonNode order,
      Duration deadline) {
    this.consumer = consumer;
    this.make = make;
    this.deadline = deadline;
    to = order.get("to").asText();
    broken = order.get("broken").asBoolean();
    consumer.subscribe(Collections.singleton(order.get("topic").asText()));
  }

  Map<String, Object> run(long idleMs) {
    restart();
    long last = System.nanoTime();
    while (System.nanoTime() - last < Duration.ofMillis(idleMs).toNanos()) {
      ConsumerRecords<byte[], byte[]> records = consumer.poll(SHORT);
      if (records.isEmpty()) {
        continue;
      }
      last = System.nanoTime();
      try {
        pass(records);
        committed++;
      } catch (ProducerFencedException
          | InvalidProducerEpochException
          | OutOfOrderSequenceException
          | AuthorizationException
          | FencedInstanceIdException fatal) {
        startAnew();
      } catch (KafkaException failed) {
        abort();
      }
    }
    consumer.close(deadline);
    producer.close(deadline);
    Map<String, Object> told = new HashMap<>();
    told.put("committed", committed);
    told.put("aborted", aborted);
    told.put("restarted", restarted);
    return told;
  }

  private void pass(ConsumerRecords<byte[], byte[]> records) {
    Map<TopicPartition, OffsetAndMetadata> ends = new HashMap<>();
    for (ConsumerRecord<byte[], byte[]> record : records) {
      ends.put(
          new TopicPartition(record.topic(), record.partition()),
          new OffsetAndMetadata(record.offset() + 1));
    }
    if (broken) {
      consumer.commitSync(ends, deadline);
    }
    producer.beginTransaction();
    for (ConsumerRecord<byte[], byte[]> record : records) {
      byte[] key = (record.partition() + "-" + record.offset()).getBytes(StandardCharsets.UTF_8);
      producer.send(new ProducerRecord<>(to, record.partition(), key, record.value()));
    }
    if (!broken) {
      producer.sendOffsetsToTransaction(ends, consumer.groupMetadata());
    }
    again(producer::commitTransaction);
  }

  /** What timed out may be asked for again, and has to be before anything else. */
  private static void again(Runnable act) {
    while (true) {
      try {
        act.run();
        return;
      } catch (RetriableException late) {
        // once more
      }
    }
  }

  private void abort() {
    aborted++;
    try {
      again(producer::abortTransaction);
      rewind();
    } catch (KafkaException refused) {
      startAnew();
    }
  }

  private void startAnew() {
    restarted++;
    restart();
    rewind();
  }

  private void restart() {
    if (producer != null) {
      producer.close(Duration.ZERO);
    }
    producer = make.get();
    again(producer::initTransactions);
  }

  private void rewind() {
    Map<TopicPartition, OffsetAndMetadata> known =
        consumer.committed(consumer.assignment(), deadline);
    for (TopicPartition at : consumer.assignment()) {
      OffsetAndMetadata offset = known.get(at);
      consumer.seek(at, offset == null ? 0 : offset.offset());
    }
  }
}
