// A kfake cluster, and a client that kfake serves: the two things that only Go has.
//
//	bench serve                        three brokers, for as long as standard input stays open
//	bench produce BOOTSTRAP TOPIC N    the median of N synchronous produces, in milliseconds
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	warmUp     = 20
	valueBytes = 100
)

func main() {
	log.SetFlags(0)
	switch {
	case len(os.Args) == 2 && os.Args[1] == "serve":
		serve()
	case len(os.Args) == 5 && os.Args[1] == "produce":
		count, err := strconv.Atoi(os.Args[4])
		check(err)
		fmt.Println(produce(strings.Split(os.Args[2], ","), os.Args[3], count))
	default:
		log.Fatal("usage: bench serve | bench produce BOOTSTRAP TOPIC N")
	}
}

// serve prints one line of JSON when the brokers listen. Standard input is the leash: whoever started
// us holds its other end, so we end with them, whatever ends them.
func serve() {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.AllowAutoTopicCreation())
	check(err)
	defer cluster.Close()
	ready := map[string]string{"event": "ready", "bootstrap": strings.Join(cluster.ListenAddrs(), ",")}
	check(json.NewEncoder(os.Stdout).Encode(ready))
	_, err = io.Copy(io.Discard, os.Stdin)
	check(err)
}

// produce has settings that ask of a broker what the Python clients beside it ask.
func produce(bootstrap []string, topic string, count int) float64 {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap...),
		kgo.RequiredAcks(kgo.LeaderAck()),
		kgo.DisableIdempotentWrite(),
		kgo.ProducerLinger(0),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	)
	check(err)
	defer client.Close()
	times := make([]time.Duration, 0, count)
	for number := range warmUp + count {
		record := &kgo.Record{Topic: topic, Partition: 0, Value: make([]byte, valueBytes)}
		started := time.Now()
		check(client.ProduceSync(context.Background(), record).FirstErr())
		if number >= warmUp {
			times = append(times, time.Since(started))
		}
	}
	slices.Sort(times)
	return float64(times[len(times)/2].Nanoseconds()) / 1e6
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
