/*
 * Is a description of a signature sound? What is not said, contradicts another member, or
 * would have no effect is a fault: in what decides who is let in, nothing is guessed.
 */
#include "bridge/verify_internal.h"

#include <string.h>

/* A description, and where its fault goes. */
struct examination {
    const struct provider_signature *signature;
    const char **out_key;
    struct err *err;
};

static enum status wrong(const struct examination *exam, const char *key, const char *what)
{
    *exam->out_key = key;
    return err_set(exam->err, ST_INVALID, "%s", what);
}

static bool is_same_header(const char *a, const char *b)
{
    return is_said(a) && is_said(b) && slice_equal_nocase(slice_of(a), slice_of(b));
}

/* What can be a key or a version: it must not end where the value begins, or be trimmed. */
static bool is_list_name(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~' || *c == ',' || *c == '=') {
            return false;
        }
    }
    return *text != '\0';
}

static bool is_printable(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~') {
            return false;
        }
    }
    return *text != ' ';
}

static enum status examine_header_names(const struct examination *exam)
{
    const struct provider_signature *signature = exam->signature;
    const char *no_name = "is not the name of a header (RFC 9110: letters, digits, and signs "
                          "such as - and _)";

    if (!is_said(signature->header)) {
        return wrong(exam, "header",
                     "is missing: the header that holds the signature or token");
    }
    if (!delivery_is_token(slice_of(signature->header))) {
        return wrong(exam, "header", no_name);
    }
    if (is_said(signature->timestamp_header) &&
        !delivery_is_token(slice_of(signature->timestamp_header))) {
        return wrong(exam, "timestamp_header", no_name);
    }
    if (is_said(signature->id_header) && !delivery_is_token(slice_of(signature->id_header))) {
        return wrong(exam, "id_header", no_name);
    }
    if (is_same_header(signature->timestamp_header, signature->header)) {
        return wrong(exam, "timestamp_header",
                     "is the signature's own header; if the time is in it, as in "
                     "t=1614265330,v1=…, say form \"pairs\" and timestamp_key");
    }
    if (is_same_header(signature->id_header, signature->header) ||
        is_same_header(signature->id_header, signature->timestamp_header)) {
        return wrong(exam, "id_header", "is also the header of something else");
    }
    return ST_OK;
}

struct member {
    const char *key;
    bool is_there;
};

/* The first of these that is there is wrong. */
static enum status refuse_members(const struct examination *exam, const struct member *members,
                                  size_t count, const char *what)
{
    for (size_t i = 0; i < count; i++) {
        if (members[i].is_there) {
            return wrong(exam, members[i].key, what);
        }
    }
    return ST_OK;
}

static enum status examine_token(const struct examination *exam)
{
    const struct provider_signature *signature = exam->signature;
    const struct member unused[] = {
        {"algorithm", signature->algorithm != ALGORITHM_UNSET},
        {"form", signature->form != FORM_UNSET && signature->form != FORM_PLAIN},
        {"mark", is_said(signature->mark)},
        {"ordered", signature->ordered},
        {"encoding", signature->encoding != ENCODING_UNSET},
        {"key", signature->key != KEY_UNSET && signature->key != KEY_TEXT},
        {"message", is_said(signature->message)},
        {"timestamp_header", is_said(signature->timestamp_header)},
        {"timestamp_key", is_said(signature->timestamp_key)},
        {"tolerance", signature->tolerance_ms > 0},
        {"skew", signature->skew != SKEW_UNSET},
        {"id_header", is_said(signature->id_header)},
    };
    enum status st = examine_header_names(exam);

    if (st != ST_OK) {
        return st;
    }
    return refuse_members(
        exam, unused, COUNT_OF(unused),
        "belongs to scheme \"hmac\"; with scheme \"token\" the header's whole "
        "value is the secret, and nothing is signed");
}

static enum status examine_choices(const struct examination *exam)
{
    const struct provider_signature *signature = exam->signature;

    if (signature->algorithm == ALGORITHM_UNSET) {
        return wrong(exam, "algorithm", "is missing: \"sha256\", \"sha1\" or \"sha512\"");
    }
    if (signature->form == FORM_UNSET) {
        return wrong(exam, "form",
                     "is missing: \"plain\" (the signature alone), \"prefix\" (sha256=…), "
                     "\"pairs\" (t=…,v1=…) or \"versions\" (v1,… v1,…)");
    }
    if (signature->encoding == ENCODING_UNSET) {
        return wrong(exam, "encoding", "is missing: \"hex\" or \"base64\"");
    }
    if (signature->key == KEY_UNSET) {
        return wrong(exam, "key",
                     "is missing: \"text\" (the secret as it is), \"base64\" (decoded) or "
                     "\"whsec\" (what follows whsec_, decoded)");
    }
    return ST_OK;
}

static enum status examine_mark(const struct examination *exam)
{
    const struct provider_signature *signature = exam->signature;
    bool is_there = is_said(signature->mark);

    switch (signature->form) {
    case FORM_PLAIN:
        return is_there ? wrong(exam, "mark",
                                "has no place in form \"plain\"; with \"prefix\" it is what "
                                "stands before the signature")
                        : ST_OK;
    case FORM_PREFIX:
        return is_there && is_printable(signature->mark)
                   ? ST_OK
                   : wrong(exam, "mark",
                           "must be what stands before the signature, such as sha256=, in "
                           "printable ASCII");
    case FORM_PAIRS:
        return is_there && is_list_name(signature->mark)
                   ? ST_OK
                   : wrong(exam, "mark",
                           "must be the key of signatures, such as v1: printable ASCII without "
                           "space, comma and =");
    case FORM_VERSIONS:
        return is_there && is_list_name(signature->mark)
                   ? ST_OK
                   : wrong(exam, "mark",
                           "must be the version of signatures, such as v1: printable ASCII "
                           "without space, comma and =");
    case FORM_UNSET:
        break;
    }
    return ST_OK;
}

static enum status examine_pairs(const struct examination *exam)
{
    const struct provider_signature *signature = exam->signature;
    bool has_key = is_said(signature->timestamp_key);

    if (has_key && signature->form != FORM_PAIRS) {
        return wrong(exam, "timestamp_key",
                     "needs form \"pairs\"; for a timestamp in a header of its own say "
                     "timestamp_header");
    }
    if (has_key && is_said(signature->timestamp_header)) {
        return wrong(exam, "timestamp_key",
                     "and timestamp_header exclude each other: the timestamp is in one place");
    }
    if (has_key && !is_list_name(signature->timestamp_key)) {
        return wrong(exam, "timestamp_key",
                     "must be a key, such as t: printable ASCII without space, comma and =");
    }
    if (has_key && strcmp(signature->timestamp_key, signature->mark) == 0) {
        return wrong(exam, "timestamp_key", "is the same as mark, the key of signatures");
    }
    if (signature->ordered && !has_key) {
        return wrong(exam, "ordered",
                     "needs form \"pairs\" with a timestamp_key: it means the timestamp, then "
                     "one signature, and nothing else");
    }
    return ST_OK;
}

static enum status examine_no_timestamp(const struct examination *exam)
{
    const struct provider_signature *signature = exam->signature;
    const struct member unused[] = {
        {"timestamp_header", is_said(signature->timestamp_header)},
        {"timestamp_key", is_said(signature->timestamp_key)},
        {"tolerance", signature->tolerance_ms > 0},
        {"skew", signature->skew != SKEW_UNSET},
    };

    return refuse_members(
        exam, unused, COUNT_OF(unused),
        "is useless, because the message holds no {timestamp}: a time that is "
        "not signed proves nothing");
}

static enum status examine_timestamp(const struct examination *exam)
{
    const struct provider_signature *signature = exam->signature;

    if (!is_said(signature->timestamp_header) && !is_said(signature->timestamp_key)) {
        return wrong(exam, "message",
                     "holds {timestamp}, so timestamp_header or (form \"pairs\") timestamp_key "
                     "must say where it is");
    }
    if (signature->tolerance_ms < 0) {
        return wrong(exam, "tolerance",
                     "is missing: how old a delivery may be, such as \"5m\"; \"0s\": any age");
    }
    if (signature->tolerance_ms % 1000 != 0) {
        return wrong(exam, "tolerance", "must be whole seconds, as timestamps are");
    }
    if (signature->tolerance_ms > 0 && signature->skew == SKEW_UNSET) {
        return wrong(exam, "skew",
                     "is missing: \"both\" (no older and no further ahead than the tolerance) "
                     "or \"past\" (only age counts)");
    }
    return ST_OK;
}

static enum status examine_message(const struct examination *exam)
{
    const struct provider_signature *signature = exam->signature;
    struct message message;
    enum status st;

    if (!is_said(signature->message)) {
        return wrong(exam, "message",
                     "is missing: what is signed, such as {body} or {timestamp}.{body}");
    }
    st = message_compile(signature->message, &message, exam->err);
    if (st != ST_OK) {
        *exam->out_key = "message";
        return st;
    }
    if (message.holds[MESSAGE_ID] && !is_said(signature->id_header)) {
        return wrong(exam, "message", "holds {id}, so id_header must say where it is");
    }
    if (!message.holds[MESSAGE_ID] && is_said(signature->id_header)) {
        return wrong(exam, "id_header",
                     "is useless, because the message holds no {id}; a delivery id that is not "
                     "signed belongs into fields.delivery_id");
    }
    return message.holds[MESSAGE_TIMESTAMP] ? examine_timestamp(exam)
                                            : examine_no_timestamp(exam);
}

static enum status examine_hmac(const struct examination *exam)
{
    typedef enum status examine_fn(const struct examination *);
    static examine_fn *const steps[] = {
        examine_header_names, examine_choices, examine_mark, examine_pairs, examine_message,
    };
    enum status st = ST_OK;

    for (size_t i = 0; i < COUNT_OF(steps) && st == ST_OK; i++) {
        st = steps[i](exam);
    }
    return st;
}

enum status verify_check_description(const struct provider_signature *signature,
                                     const char **out_key, struct err *err)
{
    const struct examination exam = {signature, out_key, err};

    switch (signature->scheme) {
    case SCHEME_NONE:
        return ST_OK; /* whatever else a row says: the source verifies nothing */
    case SCHEME_TOKEN:
        return examine_token(&exam);
    case SCHEME_HMAC:
        return examine_hmac(&exam);
    case SCHEME_UNSET:
        break;
    }
    return wrong(&exam, "scheme",
                 "is missing: \"hmac\" (a signature), \"token\" (the secret itself), or "
                 "\"none\"");
}
