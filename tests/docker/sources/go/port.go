// Prints the port of a service.
package main

import (
	"fmt"
	"net"
	"os"
)

func main() {
	port, err := net.LookupPort("tcp", os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("port", port)
}
