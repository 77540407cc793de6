#include "commands.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
        {"template", fx_template_command}, {"lint", fx_lint_command}, {"package", fx_package_command}};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	fprintf(stderr,
	        "usage: helm-controller template [NAME] CHART [flags]\n"
	        "       helm-controller lint [NAME] CHART [flags]\n"
	        "       helm-controller package CHART [--version V] [--app-version V] [-f FILE] [-d DIR]\n");
	return 2;
}
