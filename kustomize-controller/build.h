/* `kustomize-controller build`: the kustomize engine as a command for people and for the conformance suite.
 */
#ifndef FX_KUSTOMIZE_CONTROLLER_BUILD_H
#define FX_KUSTOMIZE_CONTROLLER_BUILD_H

/* argv[0] is "build". Prints to stdout, problems as `Error: ...` to stderr. Exit status 0 or 1. */
int fx_build_command(int argc, char **argv);

#endif
