/* kubectl-ai4k8s: the plugin `kubectl ai4k8s` and the offline tool. Finds the command and runs it. */
#include "command.h"
#include "output.h"

#include "base/alloc.h"
#include "base/str.h"

#include <signal.h>
#include <stdio.h>

struct command {
    const char *name, *group, *summary;
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
    {"status", "With a cluster", "What autoscalers will do next, and why", command_status},
    {"explain", NULL, "The last decision of an autoscaler, stage by stage", command_explain},
    {"pause", NULL, "Keep an autoscaler from scaling; it goes on observing and recommending", command_pause},
    {"resume", NULL, "Let a paused autoscaler scale again", command_resume},
    {"backfill", NULL, "Give an autoscaler a history to start with", command_backfill},
    {"advise", NULL, "What the LLM advisor was asked, as the request that is sent", command_advise},
    {"approve", NULL, "Let an autoscaler apply one advice that waits for it", command_approve},
    {"forecast", "Offline", "What the operator would forecast for a series", command_forecast},
    {"backtest", NULL, "How good those forecasts would have been", command_backtest},
    {"anomalies", NULL, "What of a series the operator would find strange", command_anomalies},
    {"simulate", NULL, "What the operator and a plain HPA would have made of a demand trace", command_simulate},
    {"decide", NULL, "What the operator would decide, observation by observation", command_decide},
};

static void print_help(FILE *to)
{
    (void)fputs("Usage: kubectl ai4k8s COMMAND [OPTION...]\n"
                "Looks after autoscalers of AI4K8s, and forecasts and judges series without a cluster.\n",
                to);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (commands[i].group)
            (void)fprintf(to, "\n%s:\n", commands[i].group);
        (void)fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
    }
    (void)fputs("\n`kubectl ai4k8s help COMMAND` has the options of a command and examples.\n\n"
                "Examples:\n"
                "  kubectl ai4k8s status -A\n"
                "  kubectl ai4k8s backfill web --series last-week.csv --end now\n"
                "  kubectl-ai4k8s backtest --series last-month.csv\n\n"
                "Exit status: 0 done, 1 failure, 2 wrong usage or bad input.\n",
                to);
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (streq(commands[i].name, name))
            return &commands[i];
    return NULL;
}

static int run(const char *name, int argc, char **argv)
{
    const struct command *command = find(name);
    if (!command) {
        (void)fprintf(stderr, "kubectl-ai4k8s: there is no command \"%s\"; `kubectl-ai4k8s --help` lists them\n", name);
        return STATUS_USAGE;
    }
    _cleanup_(freep) char *called = xasprintf("kubectl-ai4k8s %s", name);
    argv[0] = called;
    return command->run(argc, argv);
}

static int help_on(char *name)
{
    static char option[] = "--help";
    char *argv[] = {name, option, NULL};
    return run(name, 2, argv);
}

int main(int argc, char **argv)
{
    (void)signal(SIGPIPE, SIG_IGN); /* a reader that went away is an error of the write */
    argp_err_exit_status = STATUS_USAGE;
    if (argc < 2) {
        print_help(stderr);
        return STATUS_USAGE;
    }
    const char *word = argv[1];
    if (streq(word, "--version") || streq(word, "-V")) {
        (void)printf("kubectl-ai4k8s %s\n", AI4K8S_VERSION);
        return output_end(STATUS_OK);
    }
    if (streq(word, "--help") || streq(word, "-h") || streq(word, "-?") || (streq(word, "help") && argc == 2)) {
        print_help(stdout);
        return output_end(STATUS_OK);
    }
    if (streq(word, "help"))
        return help_on(argv[2]);
    return output_end(run(word, argc - 1, argv + 1));
}
