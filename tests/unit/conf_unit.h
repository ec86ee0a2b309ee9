/* What the tests of conf/ share: a small configuration that is right, and reading one with its errors as text. */
#pragma once
#include "conf/conf.h"
#include "unit.h"

#define MINIMAL_SENDER                                                                                                 \
    "[sender office]\nname = Office\naddress = news@partner.example\npublic-url = https://news.partner.example\n"
#define MINIMAL_RELAY "[relay main]\nurl = smtp://mail.partner.example\n"
#define MINIMAL MINIMAL_SENDER MINIMAL_RELAY

/* One line for each error. */
static inline void conf_unit_on_error(void *user, const struct why *why) {
    why_print(why, user);
    buf_putc(user, '\n');
}

/* NULL with the errors in `errors`, which may be NULL where there must be none. */
static inline struct conf *conf_unit_read(struct view text, struct buf *errors) {
    struct buf own = BUF_INIT(4 << 20);
    struct conf *conf = NULL;
    int r = conf_parse(text, "t.ini", conf_unit_on_error, errors ? errors : &own, &conf);
    if (!errors && r < 0)
        fail_msg("refused: %s", buf_str(&own));
    assert_int_equal(r, conf ? 0 : -EINVAL);
    buf_done(&own);
    return conf;
}

static inline void conf_unit_unref(struct conf **conf) {
    *conf = conf_unref(*conf);
}
#define AUTOCONF CLEANUP(conf_unit_unref) __attribute__((unused)) /* some are read for their errors only */
