#!/bin/sh
for word in "$@"; do
    echo "a script says $word"
done
exit 5
