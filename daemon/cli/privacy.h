/* subscriber export and erase: what a person may ask for. Exit codes. */
#pragma once
#include <stdbool.h>

struct cli;

int cli_export_person(struct cli *cli, const char *address);
int cli_erase_person(struct cli *cli, const char *address, const char *reason, bool yes);
