// pkg-config: gmime-3.0
/* judge_mime FILE...: reads each message with GMime in its strict modes and decodes every part. Each warning of the
 * parser is a defect, and so are a part that cannot be decoded and a message without From, Date or Message-ID. Exit 1
 * where there was any, 2 where a file cannot be read. */
#include <fcntl.h>
#include <gmime/gmime.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

struct judged {
    const char *file;
    unsigned defects, parts;
};

static void defect(struct judged *j, const char *what, const char *item) {
    printf("%s: %s %s\n", j->file, what, item ? item : "");
    j->defects++;
}

static const char *warning_name(GMimeParserWarning warning) {
    switch (warning) {
    case GMIME_WARN_DUPLICATED_HEADER: return "duplicated header";
    case GMIME_WARN_DUPLICATED_PARAMETER: return "duplicated parameter";
    case GMIME_WARN_UNENCODED_8BIT_HEADER: return "unencoded 8-bit header";
    case GMIME_WARN_INVALID_CONTENT_TYPE: return "invalid content type";
    case GMIME_WARN_INVALID_RFC2047_HEADER_VALUE: return "invalid encoded word";
    case GMIME_WARN_MALFORMED_MULTIPART: return "malformed multipart";
    case GMIME_WARN_TRUNCATED_MESSAGE: return "truncated message";
    case GMIME_WARN_MALFORMED_MESSAGE: return "malformed message";
    case GMIME_CRIT_INVALID_HEADER_NAME: return "invalid header name";
    case GMIME_CRIT_CONFLICTING_HEADER: return "conflicting header";
    case GMIME_CRIT_CONFLICTING_PARAMETER: return "conflicting parameter";
    case GMIME_CRIT_MULTIPART_WITHOUT_BOUNDARY: return "multipart without boundary";
    case GMIME_WARN_INVALID_PARAMETER: return "invalid parameter";
    case GMIME_WARN_INVALID_ADDRESS_LIST: return "invalid address list";
    case GMIME_CRIT_NESTING_OVERFLOW: return "nesting too deep";
    case GMIME_WARN_PART_WITHOUT_CONTENT: return "part without content";
    case GMIME_CRIT_PART_WITHOUT_HEADERS_OR_CONTENT: return "part without headers or content";
    }
    return "unknown warning";
}

static void on_warning(gint64 offset, GMimeParserWarning warning, const gchar *item, gpointer user) {
    (void)offset;
    defect(user, warning_name(warning), item);
}

static void on_part(GMimeObject *parent, GMimeObject *part, gpointer user) {
    (void)parent;
    struct judged *j = user;
    j->parts++;
    if (!GMIME_IS_PART(part))
        return;
    GMimeStream *sink = g_mime_stream_null_new();
    GMimeDataWrapper *content = g_mime_part_get_content(GMIME_PART(part));
    if (!content || g_mime_data_wrapper_write_to_stream(content, sink) < 0)
        defect(j, "a part cannot be decoded:", g_mime_object_get_content_id(part));
    g_object_unref(sink);
}

static GMimeParserOptions *strict_options(struct judged *j) {
    GMimeParserOptions *options = g_mime_parser_options_new();
    g_mime_parser_options_set_address_compliance_mode(options, GMIME_RFC_COMPLIANCE_STRICT);
    g_mime_parser_options_set_parameter_compliance_mode(options, GMIME_RFC_COMPLIANCE_STRICT);
    g_mime_parser_options_set_rfc2047_compliance_mode(options, GMIME_RFC_COMPLIANCE_STRICT);
    g_mime_parser_options_set_warning_callback(options, on_warning, j);
    return options;
}

static void judge(struct judged *j, int fd) {
    GMimeStream *stream = g_mime_stream_fs_new(fd); /* owns the descriptor */
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeParserOptions *options = strict_options(j);
    GMimeMessage *message = g_mime_parser_construct_message(parser, options);
    if (message) {
        InternetAddressList *from = g_mime_message_get_from(message);
        if (!from || internet_address_list_length(from) != 1)
            defect(j, "not one address in From", NULL);
        if (!g_mime_message_get_date(message))
            defect(j, "no Date", NULL);
        if (!g_mime_message_get_message_id(message))
            defect(j, "no Message-ID", NULL);
        g_mime_message_foreach(message, on_part, j);
        g_object_unref(message);
    } else {
        defect(j, "no message", NULL);
    }
    g_mime_parser_options_free(options);
    g_object_unref(parser);
    g_object_unref(stream);
}

int main(int argc, char **argv) {
    int result = argc < 2 ? 2 : 0;
    g_mime_init();
    for (int i = 1; i < argc; i++) {
        struct judged j = {.file = argv[i]};
        int fd = open(argv[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            perror(argv[i]);
            result = 2;
            continue;
        }
        judge(&j, fd);
        if (j.defects && result == 0)
            result = 1;
        printf("%s: %u parts, %u defects\n", j.file, j.parts, j.defects);
    }
    g_mime_shutdown();
    return result;
}
