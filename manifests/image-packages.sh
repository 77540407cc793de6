#!/bin/sh
# Names the Debian packages of the shared libraries that a controller uses: those it is linked with, and those
# that it loads when it needs them (libflux/core/lazy.h), whose names stand in it.
# usage: image-packages.sh PROGRAM
set -eu
{
	ldd "$1" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p'
	grep -ao 'lib[a-z0-9]*\.so\.[0-9][0-9.]*' "$1" | sort -u | while read -r name; do
		ldconfig -p | sed -n "s/^[[:space:]]*$name .* => //p" | head -n 1
	done
} | while read -r file; do
	# The package knows the file by the name that it has behind links, /lib being one too.
	file=$(readlink -f "$file")
	dpkg -S "$file" 2>/dev/null || dpkg -S "${file#/usr}"
done | sed 's/: .*//; s/:.*//' | sort -u
