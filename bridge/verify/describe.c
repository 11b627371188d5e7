/*
 * Is a description of a signature sound? A member that is missing, contradicts another one or
 * has no effect is a fault: where it is decided who is let in, nothing is guessed.
 *
 * Each member has one fault at most (but the message, which may name two values that have no
 * place). What cannot be known before another member is mended is not reported.
 */
#include "bridge/verify/internal.h"

#include <string.h>

struct examination {
    const struct provider_signature *signature;
    struct message message; /* if it compiles; else its contents are unknown */
    bool compiles;
    verify_fault_fn *report;
    void *ctx;
    bool faulty;
};

static void found(struct examination *exam, const struct verify_fault *fault)
{
    exam->faulty = true;
    exam->report(exam->ctx, fault);
}

static void wrong(struct examination *exam, const char *key, const char *text)
{
    found(exam, &(struct verify_fault){.key = key, .text = text});
}

static void missing(struct examination *exam, const char *key, const char *text)
{
    found(exam, &(struct verify_fault){.key = key, .is_missing = true, .text = text});
}

static bool lacks(const struct examination *exam, enum message_kind kind)
{
    return exam->compiles && !exam->message.holds[kind];
}

/* ---- headers ---- */

static const char no_name[] = "must be " DELIVERY_HEADER_NAME;
static const char unsigned_time[] = "has no effect, because the message contains no "
                                    "{timestamp}: a time that is not signed proves "
                                    "nothing";

static bool is_same_header(const char *a, const char *b)
{
    return is_set(a) && is_set(b) && slice_equal_nocase(slice_of(a), slice_of(b));
}

static void examine_header(struct examination *exam)
{
    const char *header = exam->signature->header;

    if (!is_set(header)) {
        missing(exam, "header", "is missing: the header that contains the signature or token");
    } else if (!delivery_is_token(slice_of(header))) {
        wrong(exam, "header", no_name);
    }
}

static void examine_timestamp_header(struct examination *exam)
{
    const char *header = exam->signature->timestamp_header;

    if (!is_set(header)) {
        return;
    }
    if (lacks(exam, MESSAGE_TIMESTAMP)) {
        wrong(exam, "timestamp_header", unsigned_time);
    } else if (!delivery_is_token(slice_of(header))) {
        wrong(exam, "timestamp_header", no_name);
    } else if (is_same_header(header, exam->signature->header)) {
        wrong(exam, "timestamp_header",
              "is the signature's own header; if the time is in it, as in "
              "t=1614265330,v1=…, set form \"pairs\" and timestamp_key");
    }
}

static void examine_id_header(struct examination *exam)
{
    const struct provider_signature *signature = exam->signature;
    const char *header = signature->id_header;

    if (!is_set(header)) {
        return;
    }
    if (lacks(exam, MESSAGE_ID)) {
        wrong(exam, "id_header",
              "has no effect, because the message contains no {id}; a delivery id that is not "
              "signed "
              "belongs in fields.delivery_id");
    } else if (!delivery_is_token(slice_of(header))) {
        wrong(exam, "id_header", no_name);
    } else if (is_same_header(header, signature->header) ||
               is_same_header(header, signature->timestamp_header)) {
        wrong(exam, "id_header", "is also the header of something else");
    }
}

/* ---- the signature in its header ---- */

#define ALGORITHM_NAME(name, word, mac_len) [ALGORITHM_##name] = (word),
#define ALGORITHM_WORD(name, word, mac_len) " \"" word "\""
#define ALGORITHM_WORDS                     PROVIDER_ALGORITHMS(ALGORITHM_WORD)

static void examine_choices(struct examination *exam)
{
    const struct provider_signature *signature = exam->signature;

    if (signature->algorithm == ALGORITHM_UNSET) {
        missing(exam, "algorithm", "is missing; it is one of" ALGORITHM_WORDS);
    }
    if (signature->form == FORM_UNSET) {
        missing(exam, "form",
                "is missing: \"plain\" (the signature alone), \"prefix\" (sha256=…), "
                "\"pairs\" (t=…,v1=…) or \"versions\" (v1,… v1,…)");
    }
    if (signature->encoding == ENCODING_UNSET) {
        missing(exam, "encoding", "is missing: \"hex\" or \"base64\"");
    }
    if (signature->key == KEY_UNSET) {
        missing(exam, "key",
                "is missing: \"text\" (the secret as it is), \"base64\" (decoded) or "
                "\"whsec\" (what follows whsec_, decoded)");
    }
}

/* What can be a key or a version: it must not end where the value begins, or be trimmed. */
static bool is_list_name(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~' || strchr(",;=", *c)) {
            return false;
        }
    }
    return *text != '\0';
}

/* What a header's value can begin with. */
static bool is_printable(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~') {
            return false;
        }
    }
    return *text != '\0' && *text != ' ';
}

/* A mark that is an algorithm's name, as in sha256=, names the one that is used. */
static void examine_mark_name(struct examination *exam)
{
    static const char *const names[] = {PROVIDER_ALGORITHMS(ALGORITHM_NAME)};
    const enum provider_algorithm used = exam->signature->algorithm;
    const char *mark = exam->signature->mark;
    const char *tail = mark + strcspn(mark, "=");
    const struct slice name = {mark, (size_t)(tail - mark)};

    if (used == ALGORITHM_UNSET || (*tail != '\0' && strcmp(tail, "=") != 0)) {
        return;
    }
    for (enum provider_algorithm i = ALGORITHM_SHA1; i < COUNT_OF(names); i++) {
        if (i != used && slice_equal_nocase(name, slice_of(names[i]))) {
            struct err text;

            (void)err_set(&text, ST_INVALID,
                          "is \"%s\", but algorithm is \"%s\"; write \"%s%s\", or algorithm "
                          "\"%s\"",
                          mark, names[used], names[used], tail, names[i]);
            wrong(exam, "mark", text.text);
        }
    }
}

static void examine_mark(struct examination *exam)
{
#define MARK_RULE(what)                                                                        \
    {                                                                                          \
        "must be " what, "is missing: " what                                                   \
    }
    static const struct {
        const char *wrong, *missing;
    } rules[] = {
        [FORM_PLAIN] = {"has no place in form \"plain\"; with \"prefix\" it is the text before "
                        "the signature",
                        NULL},
        [FORM_PREFIX] = MARK_RULE("the text before the signature, such as sha256=, in "
                                  "printable ASCII"),
        [FORM_PAIRS] = MARK_RULE("the key of signatures, such as v1: printable ASCII without "
                                 "space, comma, semicolon and ="),
        [FORM_VERSIONS] = MARK_RULE("the version of signatures, such as v1: printable ASCII "
                                    "without space, comma, semicolon and ="),
    };
    const enum provider_form form = exam->signature->form;
    const char *mark = is_set(exam->signature->mark) ? exam->signature->mark : "";
    bool good = true;

    switch (form) {
    case FORM_UNSET:
        return;
    case FORM_PLAIN:
        good = *mark == '\0';
        break;
    case FORM_PREFIX:
        good = is_printable(mark);
        break;
    case FORM_PAIRS:
    case FORM_VERSIONS:
        good = is_list_name(mark);
        break;
    }
    if (!good && *mark == '\0') {
        missing(exam, "mark", rules[form].missing);
    } else if (!good) {
        wrong(exam, "mark", rules[form].wrong);
    } else if (*mark != '\0') {
        examine_mark_name(exam);
    }
}

/* The form is known, and has no pairs. */
static bool is_no_pairs(const struct provider_signature *signature)
{
    return signature->form != FORM_UNSET && signature->form != FORM_PAIRS;
}

static void examine_pairs(struct examination *exam)
{
    const struct provider_signature *signature = exam->signature;

    if (signature->separator != '\0' && is_no_pairs(signature)) {
        wrong(exam, "separator",
              "needs form \"pairs\": it stands between one key=value and the next");
    }
    if (signature->ordered && !is_set(signature->timestamp_key)) {
        wrong(exam, "ordered",
              "needs form \"pairs\" with a timestamp_key: it means the timestamp, then one "
              "signature, and nothing else");
    }
}

static void examine_timestamp_key(struct examination *exam)
{
    const struct provider_signature *signature = exam->signature;
    const char *key = signature->timestamp_key;

    if (!is_set(key)) {
        return;
    }
    if (lacks(exam, MESSAGE_TIMESTAMP)) {
        wrong(exam, "timestamp_key", unsigned_time);
    } else if (is_no_pairs(signature)) {
        wrong(exam, "timestamp_key",
              "needs form \"pairs\"; for a timestamp in a header of its own set "
              "timestamp_header");
    } else if (is_set(signature->timestamp_header)) {
        wrong(exam, "timestamp_key",
              "and timestamp_header exclude each other: the timestamp is in one place");
    } else if (!is_list_name(key)) {
        wrong(exam, "timestamp_key",
              "must be a key, such as t: printable ASCII without space, comma, semicolon and "
              "=");
    } else if (is_set(signature->mark) && strcmp(key, signature->mark) == 0) {
        wrong(exam, "timestamp_key", "is the same as mark, the key of signatures");
    }
}

/* ---- what is signed ---- */

static void examine_message(struct examination *exam)
{
    const struct provider_signature *signature = exam->signature;
    struct err err;

    if (!is_set(signature->message)) {
        missing(exam, "message",
                "is missing: what is signed, such as {body} or {timestamp}.{body}");
        return;
    }
    if (message_compile(signature->message, &exam->message, &err) != ST_OK) {
        wrong(exam, "message", err.text);
        return;
    }
    exam->compiles = true;
    if (exam->message.holds[MESSAGE_ID] && !is_set(signature->id_header)) {
        wrong(exam, "message", "contains {id}, so id_header must name its header");
    }
    if (exam->message.holds[MESSAGE_TIMESTAMP] && !is_set(signature->timestamp_header) &&
        !is_set(signature->timestamp_key)) {
        wrong(
            exam, "message",
            "contains {timestamp}, so timestamp_header or (form \"pairs\") timestamp_key must "
            "say where it is");
    }
}

static void examine_tolerance(struct examination *exam)
{
    const int64_t tolerance_ms = exam->signature->tolerance_ms;

    if (tolerance_ms < 0) {
        missing(exam, "tolerance",
                "is missing: how old a delivery may be, such as \"5m\"; \"0s\": any age");
    } else if (tolerance_ms % 1000 != 0) {
        wrong(exam, "tolerance", "must be whole seconds, as timestamps are");
    } else if (tolerance_ms == 0 && exam->message.tight) {
        wrong(exam, "tolerance",
              "must not be 0s where the message has no character between {timestamp} and what "
              "is beside it; say how old a delivery may be, such as \"5m\"");
    }
}

static void examine_age(struct examination *exam)
{
    const struct provider_signature *signature = exam->signature;

    if (!exam->compiles) {
        return;
    }
    if (exam->message.holds[MESSAGE_TIMESTAMP]) {
        examine_tolerance(exam);
        if (signature->tolerance_ms != 0 && signature->skew == SKEW_UNSET) {
            missing(exam, "skew",
                    "is missing: \"both\" (no older and no further ahead than the tolerance) "
                    "or \"past\" (only age counts)");
        }
        return;
    }
    if (signature->timestamp_format != TIMESTAMP_UNSET) {
        wrong(exam, "timestamp_format", unsigned_time);
    }
    if (signature->tolerance_ms > 0) {
        wrong(exam, "tolerance", unsigned_time);
    }
    if (signature->skew != SKEW_UNSET) {
        wrong(exam, "skew", unsigned_time);
    }
}

/* ---- schemes ---- */

static void examine_token(struct examination *exam)
{
    const struct provider_signature *signature = exam->signature;
    const struct {
        const char *key;
        bool is_there;
    } unused[] = {
        {"algorithm", signature->algorithm != ALGORITHM_UNSET},
        {"form", signature->form != FORM_UNSET && signature->form != FORM_PLAIN},
        {"mark", is_set(signature->mark)},
        {"separator", signature->separator != '\0'},
        {"ordered", signature->ordered},
        {"encoding", signature->encoding != ENCODING_UNSET},
        {"key", signature->key != KEY_UNSET && signature->key != KEY_TEXT},
        {"message", is_set(signature->message)},
        {"timestamp_header", is_set(signature->timestamp_header)},
        {"timestamp_key", is_set(signature->timestamp_key)},
        {"timestamp_format", signature->timestamp_format != TIMESTAMP_UNSET},
        {"tolerance", signature->tolerance_ms > 0},
        {"skew", signature->skew != SKEW_UNSET},
        {"id_header", is_set(signature->id_header)},
    };

    examine_header(exam);
    for (size_t i = 0; i < COUNT_OF(unused); i++) {
        if (unused[i].is_there) {
            wrong(exam, unused[i].key,
                  "belongs to scheme \"hmac\"; with scheme \"token\" the header's whole value "
                  "is the secret, and nothing is signed");
        }
    }
}

static void examine_hmac(struct examination *exam)
{
    examine_header(exam);
    examine_choices(exam);
    examine_mark(exam);
    examine_pairs(exam);
    examine_message(exam); /* the next ones ask what it contains */
    examine_timestamp_header(exam);
    examine_timestamp_key(exam);
    examine_age(exam);
    examine_id_header(exam);
}

enum status verify_check_description(const struct provider_signature *signature,
                                     verify_fault_fn *report, void *ctx)
{
    struct examination exam = {.signature = signature, .report = report, .ctx = ctx};

    switch (signature->scheme) {
    case SCHEME_NONE:
        break; /* whatever else is set: the source verifies nothing */
    case SCHEME_TOKEN:
        examine_token(&exam);
        break;
    case SCHEME_HMAC:
        examine_hmac(&exam);
        break;
    case SCHEME_UNSET:
        missing(&exam, "scheme",
                "is missing: \"hmac\" (a signature), \"token\" (the secret itself), or "
                "\"none\"");
        break;
    }
    return exam.faulty ? ST_INVALID : ST_OK;
}
