/* An announcement's files read for a verb: what is wrong is said on err. */
#pragma once
#include "announce/source.h"

struct cli;
struct conf;
struct conf_list;

/* An exit code; on EX_OK source_done() is the caller's. */
int draft_files_read(struct cli *cli, const struct conf *conf, const char *path, struct source *ret);
/* The first of "workshops, donors"; NULL where lists is, or where it is not known. */
const struct conf_list *draft_files_first_list(const struct conf *conf, const char *lists);
