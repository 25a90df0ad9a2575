// Makes a directory and a file in it, where temporary files go.
package main

import (
	"fmt"
	"os"
)

func main() {
	directory, err := os.MkdirTemp("", "elfpack-")
	if err != nil {
		fmt.Println("no directory")
		os.Exit(1)
	}
	defer os.RemoveAll(directory)
	_, err = os.CreateTemp(directory, "")
	fmt.Println("made one,", err)
}
