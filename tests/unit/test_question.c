#include "net/question.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/loop.h"

#include "unit.h"

struct fixture {
    struct loop *loop;
    char folder[32], path[64];
    struct question_server *server;
    struct question *kept; /* asked and not answered yet */
    bool keep;
    unsigned asked, answered;
    int result;
    char answer[64];
};

static void on_ask(void *user, struct question *q, struct view text) {
    struct fixture *f = user;
    f->asked++;
    if (f->keep) {
        f->kept = q;
        loop_stop(f->loop, 0);
        return;
    }
    char answer[64] = "to ";
    memcpy(answer + 3, text.ptr, text.len < 60 ? text.len : 60);
    question_answer(q, text.len == 5 ? VIEW("") : view_make(answer, 3 + (text.len < 60 ? text.len : 60)));
}

static void on_answer(void *user, int result, struct view answer) {
    struct fixture *f = user;
    f->answered++;
    f->result = result;
    memcpy(f->answer, answer.ptr, answer.len);
    f->answer[answer.len] = '\0';
    loop_stop(f->loop, 0);
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    struct why why;
    strcpy(f->folder, "/tmp/rundbrief-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->path, sizeof f->path, "%s/q", f->folder);
    assert_int_equal(loop_new(&f->loop), 0);
    assert_int_equal(question_server_new(f->loop, f->path, on_ask, f, &why, &f->server), 0);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    (void)question_server_free(f->server);
    (void)loop_free(f->loop);
    (void)unlink(f->path);
    (void)rmdir(f->folder);
    free(f);
    return 0;
}

static struct asking *ask(struct fixture *f, struct view text) {
    struct asking *a = NULL;
    assert_int_equal(question_ask(f->loop, f->path, text, on_answer, f, &a), 0);
    return a;
}

static void one_packet_each_way(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 200; i++) { /* more than may be open at once */
        (void)ask(f, VIEW("who"));
        assert_int_equal(f->answered, i); /* never from inside */
        assert_int_equal(loop_run(f->loop), 0);
        assert_int_equal(f->result, 0);
        assert_string_equal(f->answer, "to who");
    }
}

static void no_answer(void **state) {
    struct fixture *f = *state;
    char longer[QUESTION_MAX_BYTES + 1] = "";
    (void)ask(f, VIEW("empty"));
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->result, -ENOMSG);
    (void)ask(f, view_make(longer, sizeof longer));
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->result, -ENOMSG);
    assert_int_equal(f->asked, 1);
    (void)ask(f, view_make(longer, sizeof longer - 1));
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->asked, 2);
}

static void nobody_there(void **state) {
    struct fixture *f = *state;
    f->server = question_server_free(f->server);
    (void)ask(f, VIEW("who"));
    assert_int_equal(f->answered, 0);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->result, -ECONNREFUSED);
    assert_int_equal(unlink(f->path), 0);
    (void)ask(f, VIEW("who"));
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->result, -ENOENT);
}

static void answers_may_come_late(void **state) {
    struct fixture *f = *state;
    f->keep = true;
    (void)ask(f, VIEW("who"));
    assert_int_equal(loop_run(f->loop), 0);
    question_answer(f->kept, VIEW("late"));
    assert_int_equal(loop_run(f->loop), 0);
    assert_string_equal(f->answer, "late");
    /* The asker went, and then the server. */
    struct asking *a = ask(f, VIEW("who"));
    assert_int_equal(loop_run(f->loop), 0);
    assert_null(asking_cancel(a));
    question_answer(f->kept, VIEW("to nobody"));
    a = ask(f, VIEW("who"));
    assert_int_equal(loop_run(f->loop), 0);
    f->server = question_server_free(f->server);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->result, -ENOMSG);
    question_answer(f->kept, VIEW("too late"));
    (void)a;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_packet_each_way, setup, teardown),
        cmocka_unit_test_setup_teardown(no_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_there, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_may_come_late, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
