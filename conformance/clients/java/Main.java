import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Collections;

/**
 * Apache Kafka's Java clients, obeying the line protocol of lines.py: reads an order, has the story
 * obey it, prints the answer. Written for releases 2.8 to 4.4, so it calls nothing that one of them
 * lacks.
 */
public final class Main {
  private static final ObjectMapper JSON = new ObjectMapper();

  private Main() {}

  public static void main(String[] arguments) throws Exception {
    PrintStream answers = System.out;
    System.setOut(System.err); // a library that prints must not be taken for an answer
    BufferedReader orders =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    Story story = null;
    for (String line = orders.readLine(); line != null; line = orders.readLine()) {
      JsonNode order = JSON.readTree(line);
      Object answer;
      try {
        String verb = order.get("do").asText();
        if (verb.equals("open")) {
          story = new Story(order.get("bootstrap").asText(), order.get("timers"));
          answer = Collections.singletonMap("ok", Story.LACKS);
        } else {
          answer = Collections.singletonMap("ok", story.obey(verb, order));
        }
      } catch (Exception failed) {
        failed.printStackTrace();
        answer = Collections.singletonMap("error", failed.toString());
      }
      answers.println(JSON.writeValueAsString(answer));
      answers.flush();
    }
    System.exit(0); // the clients' threads do not keep the program from ending
  }
}
