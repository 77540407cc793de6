#include "template.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "template") == 0)
		return fx_template_command(argc - 1, argv + 1);
	fprintf(stderr, "usage: helm-controller template [NAME] CHART [flags]\n");
	return 2;
}
