// As zone.go, with the zones in it.
package main

import (
	"fmt"
	"os"
	"time"
	_ "time/tzdata"
)

func main() {
	place, err := time.LoadLocation(os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(time.Unix(0, 0).In(place))
}
