/* The table of verbs. */
#include "cli/verb.h"

const struct verb verbs[] = {
    {"new", "[--event] [FILE]", "write an announcement to begin with", verb_new},
    {"check", "FILE [--list LIST]", "say everything that is wrong with it, and what would happen", verb_check},
    {"preview", "FILE [--list LIST] [--lang L] [--to ADDRESS] [--eml|--html|--text]", "the mail as it would be",
     verb_preview},
    {"test", "FILE --to ADDRESS [--list LIST] [--lang L]", "send it to one address, marked as a test", verb_test},
    {"queue", "FILE [--list LIST] [--at TIME] [--yes] [--again] [--hold]", "show what will happen, ask, and send",
     verb_queue},
    {"release", "ID …", "let a held announcement go", verb_release},
    {"pause", "ID …", "hold on", verb_pause},
    {"resume", "ID …", "go on", verb_resume},
    {"stop", "ID …", "end it for good; who was not yet written to is left out", verb_stop},
    {"resend", "ID [ADDRESS …] [--only deferred,in-doubt,refused] [--send-until TIME] [--yes]",
     "show who did not get it and why, ask, and send it to them", verb_resend},
    {"status", "[ID [--watch]]", "everything at a glance, or one announcement", verb_status},
    {"report", "ID [--not-delivered] [--csv]", "who got it when, who did not and why", verb_report},
    {"list", "", "the lists, with how many people they reach", verb_list},
    {"import",
     "LIST FILE --basis consent|membership|public-task|other --evidence TEXT [--dry-run] [--skip-bad] [--charset NAME] "
     "| --accept LIST",
     "take people into a list from a CSV file; --accept: let the file that it follows remove many", verb_import},
    {"subscriber",
     "show ADDRESS | find TEXT | add LIST ADDRESS [NAME=VALUE …] [--tag TAG …] --basis "
     "consent|membership|public-task|other --evidence TEXT [--again] | change ADDRESS [NAME=VALUE …] [--tag TAG …] "
     "[--list LIST] | change OLD NEW | leave ADDRESS --by phone|letter|mail [--list LIST] | remove LIST ADDRESS | "
     "restore LIST ADDRESS | export ADDRESS | erase ADDRESS --reason TEXT [--yes]",
     "one person; --tag +TAG, or TAG, marks them, --tag -TAG no longer", verb_subscriber},
    {"suppress", "ADDRESS --reason TEXT", "write to this address no more, whatever the lists say", verb_suppress},
    {"unsuppress", "ADDRESS --reason TEXT", "take that back", verb_unsuppress},
    {"key",
     "init [--new-master] | list | new | activate ID | export FILE [--passphrase-file FILE] | import FILE "
     "[--passphrase-file FILE]",
     "the keys that sign links", verb_key},
    {"token", "verify LINK | make [--list LIST] [--subscriber ID] [--test] [--release ANNOUNCEMENT] [--expires TIME]",
     "look into a link, or make one", verb_token},
    {"returns", "[DOMAIN --suppress|--forget]", "what came back, and what is held of it until you decide",
     verb_returns},
    {"bounce", "FILE", "what a mail that came back says, and what would follow", verb_bounce},
    {"backup", "FILE", "a copy of the store, while the daemon works", verb_backup},
    {"restore", "FILE [--yes]", "let a backup take the place of the store, while the daemon is stopped", verb_restore},
    {"doctor", "[--quick]", "what is wrong with the installation, why it matters, and what to do", verb_doctor},
    {"completion", "bash|zsh", "what the shell's Tab key offers, as a script", verb_completion},
};
const unsigned verb_count = sizeof verbs / sizeof verbs[0];
