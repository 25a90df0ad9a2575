#!/usr/bin/env perl
print "perl says @ARGV\n";
exit 6;
