#include "build.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "build") == 0)
		return fx_build_command(argc - 1, argv + 1);
	fprintf(stderr, "usage: kustomize-controller build [flags] DIR\n");
	return 2;
}
