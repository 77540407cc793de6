/* The commands of the program. Each gives back the exit status; texts go to stdout, errors to stderr. */
#ifndef HELM_CONTROLLER_COMMANDS_H
#define HELM_CONTROLLER_COMMANDS_H

/* `template [NAME] CHART`: a chart printed as `helm template` prints it. */
int fx_template_command(int argc, char **argv);
/* `lint [NAME] CHART`: what the controller would refuse; 1 when there is anything. */
int fx_lint_command(int argc, char **argv);
/* `package CHART`: the archive of a chart as source-controller makes it. */
int fx_package_command(int argc, char **argv);

#endif
