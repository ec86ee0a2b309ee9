#include "net/remote.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "unit.h"

static const char *shown(const struct remote *r) {
    static char text[REMOTE_TEXT_MAX];
    remote_print(r, text, sizeof text);
    return text;
}

static void addresses_are_read(void **state) {
    (void)state;
    static const struct {
        const char *text, *shown; /* NULL: refused */
    } cases[] = {
        {"192.0.2.1", "192.0.2.1"},
        {" 192.0.2.1\t", "192.0.2.1"},
        {"192.0.2.1:8080", "192.0.2.1"},
        {"2001:db8::1", "2001:db8::1"},
        {"2001:DB8:0::1", "2001:db8::1"},
        {"[2001:db8::1]", "2001:db8::1"},
        {"[2001:db8::1]:80", "2001:db8::1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"", NULL},
        {"unknown", NULL},
        {"unix", NULL},
        {"_hidden", NULL},
        {"192.0.2", NULL},
        {"192.0.2.256", NULL},
        {"192.0.2.1/24", NULL},
        {"[", NULL},
        {"[]", NULL},
        {":", NULL},
        {"2001:db8::1%eth0", NULL},
        {"00000000000000000000000000000000000000000000000000000000000000000001.2.3.4", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct remote r;
        int result = remote_parse(view_of(cases[i].text), &r);
        unit_int(cases[i].text, result, cases[i].shown ? 0 : -EINVAL);
        if (cases[i].shown)
            unit_str(cases[i].text, shown(&r), cases[i].shown);
    }
}

static void networks_hold_what_they_should(void **state) {
    (void)state;
    static const struct {
        const char *net, *address;
        int result;
        bool in;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", 0, true},
        {"192.0.2.1", "192.0.2.2", 0, false},
        {"192.0.2.0/24", "192.0.2.255", 0, true},
        {"192.0.2.0/24", "192.0.3.0", 0, false},
        {"192.0.2.0/23", "192.0.3.255", 0, true},
        {"192.0.2.0/23", "192.0.4.0", 0, false},
        {"192.0.2.7/31", "192.0.2.6", 0, true},
        {"0.0.0.0/0", "203.0.113.1", 0, true},
        {"0.0.0.0/0", "2001:db8::1", 0, false},
        {"::/0", "2001:db8::1", 0, true},
        {"2001:db8::/32", "2001:db8:ffff::1", 0, true},
        {"2001:db8::/32", "2001:db9::1", 0, false},
        {"2001:db8::/33", "2001:db8:8000::1", 0, false},
        {"2001:db8::1/128", "2001:db8::1", 0, true},
        {"unix", "2001:db8::1", 0, false},
        {"192.0.2.0/33", NULL, -EINVAL, false},
        {"192.0.2.0/", NULL, -EINVAL, false},
        {"192.0.2.0/-1", NULL, -EINVAL, false},
        {"2001:db8::/129", NULL, -EINVAL, false},
        {"proxy.example", NULL, -EINVAL, false},
        {"", NULL, -EINVAL, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct remote_net net;
        struct remote r;
        unit_int(cases[i].net, remote_parse_net(view_of(cases[i].net), &net), cases[i].result);
        if (cases[i].result == 0) {
            assert_int_equal(remote_parse(view_of(cases[i].address), &r), 0);
            unit_int(cases[i].net, remote_is_in(&r, &net, 1), cases[i].in);
        }
    }
    struct remote local = {.is_unix = true};
    struct remote_net nets[2];
    assert_int_equal(remote_parse_net(VIEW("::/0"), &nets[0]), 0);
    assert_false(remote_is_in(&local, nets, 1));
    assert_int_equal(remote_parse_net(VIEW("Unix"), &nets[1]), 0);
    assert_true(remote_is_in(&local, nets, 2));
}

static void forwarded_addresses_are_believed_from_proxies_only(void **state) {
    (void)state;
    struct remote_net nets[2];
    assert_int_equal(remote_parse_net(VIEW("127.0.0.1"), &nets[0]), 0);
    assert_int_equal(remote_parse_net(VIEW("10.0.0.0/8"), &nets[1]), 0);
    static const struct {
        const char *peer, *forwarded, *result;
    } cases[] = {
        {"127.0.0.1", "", "127.0.0.1"},
        {"127.0.0.1", "192.0.2.1", "192.0.2.1"},
        {"192.0.2.9", "192.0.2.1", "192.0.2.9"}, /* no proxy: what it says is worth nothing */
        {"127.0.0.1", "198.51.100.1, 192.0.2.1", "192.0.2.1"},
        {"127.0.0.1", "198.51.100.1,192.0.2.1,10.1.2.3 , 10.4.5.6", "192.0.2.1"},
        {"127.0.0.1", "10.1.2.3,10.4.5.6", "10.1.2.3"},
        {"127.0.0.1", "192.0.2.1,junk,10.4.5.6", "10.4.5.6"},
        {"127.0.0.1", "192.0.2.1,", "127.0.0.1"},
        {"127.0.0.1", ",", "127.0.0.1"},
        {"127.0.0.1", "[2001:db8::1]:99", "2001:db8::1"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct remote peer;
        assert_int_equal(remote_parse(view_of(cases[i].peer), &peer), 0);
        struct remote r = remote_behind(peer, view_of(cases[i].forwarded), nets, 2);
        unit_str(cases[i].forwarded, shown(&r), cases[i].result);
    }
}

static void a_source_is_an_address_or_a_64(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", true},          {"192.0.2.1", "192.0.2.2", false},
        {"2001:db8::1", "2001:db8::ffff:1", true}, {"2001:db8::1", "2001:db8:0:1::1", false},
        {"::ffff:192.0.2.1", "192.0.2.1", true},   {"192.0.2.1", "::1", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct remote a, b;
        assert_int_equal(remote_parse(view_of(cases[i].a), &a), 0);
        assert_int_equal(remote_parse(view_of(cases[i].b), &b), 0);
        unit_int(cases[i].b, remote_is_same_source(&a, &b), cases[i].same);
    }
}

static void sockets_have_addresses(void **state) {
    (void)state;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct remote r = remote_of_socket((const struct sockaddr *)&un, sizeof un);
    assert_string_equal(shown(&r), "unix");
    r = remote_of_socket((const struct sockaddr *)&un, 0);
    assert_string_equal(shown(&r), "unix");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(networks_hold_what_they_should),
        cmocka_unit_test(forwarded_addresses_are_believed_from_proxies_only),
        cmocka_unit_test(a_source_is_an_address_or_a_64),
        cmocka_unit_test(sockets_have_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
