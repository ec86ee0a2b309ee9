/* What SQL cannot say itself of people's texts, as functions of the store's connection. Part of store/db.h, whose every
 * connection has them; store/filter_query.h uses them. Each depends on its arguments alone, and is NULL where the first of
 * them is.
 *
 *   folded(text)                    as filters compare it (mail/filter.h)
 *   number_of(folded)               millionths, or NULL where it is no number
 *   moment_of(folded)               filter_moment(), or NULL where it is no date
 *   contains(folded, lines)         1 where one of the lines is part of it, else 0
 *   tagged(tags, lines)             1 where one of the tags (mail/tags.h) folds to one of the lines, else 0
 *
 * And a table-valued one (sqlite.org/vtab.html, §2.1.2):
 *
 *   attributes_of(attributes, names)  value: of each of them (mail/attributes.h) that has one of these names, which are
 *                                     lines
 *
 * Where memory fails the statement fails. */
#pragma once

struct sqlite3;
/* -ENOMEM. */
int functions_add(struct sqlite3 *handle);
