// Looks up nothing.
package main

import (
	"fmt"
	"net"
)

func main() {
	fmt.Println("hello,", net.ParseIP("::1"))
}
