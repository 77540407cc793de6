/* The command `helm-controller template`: a chart printed as `helm template` prints it. */
#ifndef HELM_CONTROLLER_TEMPLATE_H
#define HELM_CONTROLLER_TEMPLATE_H

/* The exit status; texts go to stdout, errors to stderr. */
int fx_template_command(int argc, char **argv);

#endif
