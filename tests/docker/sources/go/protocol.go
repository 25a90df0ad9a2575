// Says whether a protocol is known.
package main

import (
	"fmt"
	"net"
	"os"
)

func main() {
	address, err := net.ResolveIPAddr("ip4:"+os.Args[1], "127.0.0.1")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("known,", address)
}
