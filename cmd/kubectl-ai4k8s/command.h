/* The commands of the plugin. Each has a file of its own that parses its arguments and does its work. */
#ifndef PLUGIN_COMMAND_H
#define PLUGIN_COMMAND_H

#include "base/base.h"

#include <argp.h>

/* Exit statuses of the program. */
enum { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

/* `argv[0]` is how the command is called in messages ("kubectl-ai4k8s forecast"). Wrong usage and --help end the
 * process, as argp does. */
int command_forecast(int argc, char **argv);
int command_backtest(int argc, char **argv);
int command_anomalies(int argc, char **argv);
int command_simulate(int argc, char **argv);
int command_decide(int argc, char **argv);
int command_status(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_pause(int argc, char **argv);
int command_resume(int argc, char **argv);
int command_backfill(int argc, char **argv);
int command_advise(int argc, char **argv);
int command_approve(int argc, char **argv);

#endif
