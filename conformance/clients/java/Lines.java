import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

/** Records as they stand in a line. Jackson writes a byte[] as base64 by itself. */
final class Lines {
  private Lines() {}

  static ProducerRecord<byte[], byte[]> toSend(String topic, JsonNode line) {
    List<Header> headers = new ArrayList<>();
    for (JsonNode pair : line.get("headers")) {
      headers.add(new RecordHeader(pair.get(0).asText(), bytes(pair.get(1))));
    }
    JsonNode partition = line.get("partition");
    JsonNode timestamp = line.get("timestamp_ms");
    return new ProducerRecord<>(
        topic,
        partition.isNull() ? null : Integer.valueOf(partition.asInt()),
        timestamp.isNull() ? null : Long.valueOf(timestamp.asLong()),
        bytes(line.get("key")),
        bytes(line.get("value")),
        headers);
  }

  static Map<String, Object> received(ConsumerRecord<byte[], byte[]> record) {
    List<List<Object>> headers = new ArrayList<>();
    record.headers().forEach(header -> headers.add(Arrays.asList(header.key(), header.value())));
    Map<String, Object> line = new HashMap<>();
    line.put("value", record.value());
    line.put("key", record.key());
    line.put("headers", headers);
    line.put("partition", record.partition());
    line.put("timestamp_ms", record.timestamp());
    line.put("offset", record.offset());
    return line;
  }

  private static byte[] bytes(JsonNode text) {
    try {
      return text.isNull() ? null : text.binaryValue();
    } catch (IOException broken) {
      throw new UncheckedIOException(broken);
    }
  }
}
