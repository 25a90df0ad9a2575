// Prints a moment in the time of a place.
package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	place, err := time.LoadLocation(os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(time.Unix(0, 0).In(place))
}
