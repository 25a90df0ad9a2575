// Prints the account that it runs as, or one by its name, with its groups.
package main

import (
	"fmt"
	"os"
	"os/user"
)

func main() {
	found, err := user.Current()
	if len(os.Args) > 1 {
		found, err = user.Lookup(os.Args[1])
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	groups, err := found.GroupIds()
	fmt.Println(found.Username, found.Uid, found.Gid, found.HomeDir, groups, err)
}
