// Prints the IPv4 addresses of a name.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
)

func main() {
	found, err := net.DefaultResolver.LookupIP(context.Background(), "ip4", os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(found)
}
