// A kfake cluster of three brokers, for as long as standard input stays open.
//
// Prints one line of JSON when it serves. Standard input is the leash: whoever started us holds the
// other end, so we end with them whatever ends them.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kfake"
)

func main() {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.AllowAutoTopicCreation())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer cluster.Close()
	ready := map[string]string{"event": "ready", "bootstrap": strings.Join(cluster.ListenAddrs(), ",")}
	if err := json.NewEncoder(os.Stdout).Encode(ready); err != nil {
		os.Exit(1)
	}
	io.Copy(io.Discard, os.Stdin)
}
