// Members of HashiCorp's memberlist in one process, each with sockets of its own on 127.1.x.y. Measures what
// Benchmarks/Gossip measures, in the same order, and prints it in the same form. With Debian's packages:
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o memberlist-peer Benchmarks/peers/memberlist.go
//	memberlist-peer MEMBERS [lan|local] [IDLE SECONDS]
//	memberlist-peer member INDEX [lan|local]      one of them in a process of its own, as Benchmarks/Gossip/LoneMember is
package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

// What one member was told, and when.
type diary struct {
	sync.Mutex
	meta    []byte
	updated map[string]time.Time
	gone    map[string]time.Time
}

func (d *diary) NotifyJoin(*memberlist.Node)    {}
func (d *diary) NotifyLeave(n *memberlist.Node) { d.Lock(); d.gone[n.Name] = time.Now(); d.Unlock() }
func (d *diary) NotifyUpdate(n *memberlist.Node) {
	d.Lock()
	d.updated[n.Name+string(n.Meta)] = time.Now()
	d.Unlock()
}
func (d *diary) NodeMeta(int) []byte             { return d.meta }
func (d *diary) NotifyMsg([]byte)                {}
func (d *diary) GetBroadcasts(int, int) [][]byte { return nil }
func (d *diary) LocalState(bool) []byte          { return nil }
func (d *diary) MergeRemoteState([]byte, bool)   {}
func (d *diary) when(isUpdate bool, key string) (time.Time, bool) {
	d.Lock()
	defer d.Unlock()
	times := d.gone
	if isUpdate {
		times = d.updated
	}
	at, ok := times[key]
	return at, ok
}

var size int

func emit(measure string, value float64) {
	fmt.Printf("{\"peer\": \"memberlist\", \"n\": %d, \"m\": \"%s\", \"v\": %.4f}\n", size, measure, value)
}

func loopback() (bytes, packets float64) {
	text, _ := os.ReadFile("/proc/net/dev")
	for _, line := range strings.Split(string(text), "\n") {
		if words := strings.Fields(line); len(words) > 2 && words[0] == "lo:" {
			bytes, _ = strconv.ParseFloat(words[1], 64)
			packets, _ = strconv.ParseFloat(words[2], 64)
		}
	}
	return
}

func busy() float64 {
	var used syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return float64(used.Utime.Sec+used.Stime.Sec) + float64(used.Utime.Usec+used.Stime.Usec)/1e6
}

func middle(values []float64) float64 { sort.Float64s(values); return values[len(values)/2] }

// Seconds after start at which each of the diaries had the entry, in order; waits for all of them.
func collect(diaries []*diary, skip int, isUpdate bool, key string, start time.Time, limit time.Duration) []float64 {
	for {
		var times []float64
		for i, d := range diaries {
			if at, ok := d.when(isUpdate, key); ok && i != skip {
				times = append(times, at.Sub(start).Seconds())
			}
		}
		if len(times) == len(diaries)-1 || time.Since(start) > limit {
			sort.Float64s(times)
			return times
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func configuration(i int, local bool) *memberlist.Config {
	config := memberlist.DefaultLANConfig()
	if local {
		config = memberlist.DefaultLocalConfig()
	}
	config.Name = fmt.Sprintf("n%d", i)
	config.BindAddr = fmt.Sprintf("127.1.%d.%d", i/250, i%250+1)
	config.AdvertiseAddr, config.BindPort, config.AdvertisePort = config.BindAddr, 7946, 7946
	config.Logger = log.New(io.Discard, "", 0)
	return config
}

// Says on standard output what one member is told.
type herald struct {
	name string
	meta []byte
}

func (h *herald) say(word string, n *memberlist.Node) {
	if n.Name != h.name {
		os.Stdout.WriteString(word + " " + n.Name[1:] + "\n")
	}
}
func (h *herald) NotifyJoin(n *memberlist.Node)   { h.say("joined", n) }
func (h *herald) NotifyLeave(n *memberlist.Node)  { h.say("died", n) }
func (h *herald) NotifyUpdate(n *memberlist.Node) { h.say("updated", n) }
func (h *herald) NodeMeta(int) []byte             { return h.meta }
func (h *herald) NotifyMsg([]byte)                {}
func (h *herald) GetBroadcasts(int, int) [][]byte { return nil }
func (h *herald) LocalState(bool) []byte          { return nil }
func (h *herald) MergeRemoteState([]byte, bool)   {}

// Takes orders as lines on standard input: "join ADDRESS" and "update NUMBER".
func alone(index int, local bool) {
	config := configuration(index, local)
	h := &herald{name: config.Name, meta: []byte("0")}
	config.Events, config.Delegate = h, h
	member, err := memberlist.Create(config)
	if err != nil {
		log.Fatal(err)
	}
	os.Stdout.WriteString("ready\n")
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		words := strings.Fields(orders.Text())
		switch words[0] {
		case "join":
			if _, err := member.Join([]string{words[1] + ":7946"}); err != nil {
				fmt.Fprintln(os.Stderr, "join", index, err)
			}
			os.Stdout.WriteString("called\n")
		case "update":
			h.meta = []byte(words[1])
			go member.UpdateNode(0)
		}
	}
}

func main() {
	local := os.Args[len(os.Args)-1] == "local" || len(os.Args) > 2 && os.Args[2] == "local"
	if os.Args[1] == "member" {
		index, _ := strconv.Atoi(os.Args[2])
		alone(index, local)
		return
	}
	size, _ = strconv.Atoi(os.Args[1])
	members, diaries := make([]*memberlist.Memberlist, size), make([]*diary, size)
	for i := range members {
		config := configuration(i, local)
		diaries[i] = &diary{meta: []byte("0"), updated: map[string]time.Time{}, gone: map[string]time.Time{}}
		config.Events, config.Delegate = diaries[i], diaries[i]
		member, err := memberlist.Create(config)
		if err != nil {
			log.Fatal(err)
		}
		members[i] = member
	}
	start := time.Now()
	for i := 1; i < size; i++ {
		if _, err := members[i].Join([]string{"127.1.0.1:7946"}); err != nil {
			fmt.Fprintln(os.Stderr, "join", i, err)
		}
	}
	emit("join_calls_s", time.Since(start).Seconds())
	for i := 0; i < size && time.Since(start) < 120*time.Second; {
		if members[i].NumMembers() == size {
			i++
		} else {
			time.Sleep(time.Millisecond)
		}
	}
	emit("join_all_s", time.Since(start).Seconds())
	if len(os.Args) > 4 && os.Args[4] == "join" {
		return
	}
	time.Sleep(3 * time.Second)

	idle := 5
	if len(os.Args) > 3 {
		idle, _ = strconv.Atoi(os.Args[3])
	}
	bytes, packets := loopback()
	used := busy()
	time.Sleep(time.Duration(idle) * time.Second)
	bytes2, packets2 := loopback()
	share := float64(idle * size)
	emit("idle_cpu_pct_per_member", (busy()-used)/share*100)
	emit("idle_bytes_per_member_s", (bytes2-bytes)/share)
	emit("idle_packets_per_member_s", (packets2-packets)/share)

	var medians, lasts []float64
	for round := 1; round <= 5; round++ {
		subject := round * 7 % size
		diaries[subject].meta = []byte(strconv.Itoa(round))
		start := time.Now()
		go members[subject].UpdateNode(0)
		key := fmt.Sprintf("n%d%d", subject, round)
		times := collect(diaries, subject, true, key, start, 20*time.Second)
		medians, lasts = append(medians, times[len(times)/2]*1e3), append(lasts, times[len(times)-1]*1e3)
		time.Sleep(300 * time.Millisecond)
	}
	emit("update_median_node_ms", middle(medians))
	emit("update_all_nodes_ms", middle(lasts))

	var first, median, last []float64
	for round := 0; round < 3; round++ {
		victim := len(diaries) - 1
		start := time.Now()
		members[victim].Shutdown()
		times := collect(diaries, victim, false, fmt.Sprintf("n%d", victim), start, 90*time.Second)
		if len(times) < len(diaries)-1 {
			emit("detect_missing", float64(len(diaries)-1-len(times)))
		}
		first, median, last = append(first, times[0]), append(median, times[len(times)/2]), append(last, times[len(times)-1])
		diaries = diaries[:victim]
	}
	emit("detect_first_s", middle(first))
	emit("detect_median_s", middle(median))
	emit("detect_last_s", middle(last))
	wrong := map[string]bool{}
	for _, d := range diaries {
		for name := range d.gone {
			if number, _ := strconv.Atoi(name[1:]); number < size-3 {
				wrong[name] = true
			}
		}
	}
	emit("false_death_members", float64(len(wrong)))
}
