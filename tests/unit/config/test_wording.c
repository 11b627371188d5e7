/*
 * The wording of what is wrong with a configuration: what it is, where it is found, and the
 * whole sentence. The other tests of config look at the path and the kind only.
 */
#include "tests/unit/lib/config_fixture.h"

#include <sys/stat.h>

#define OF(provider, settings)                                                                 \
    "{'sources':[{'name':'p','provider':'" provider "','path':'/p'," SECRETS "," settings "}]" \
    "}"

/* In all three, @DIR@ is the folder of make_files. */
static const struct {
    const char *json; /* with ' for " */
    bool warning;
    const char *path, *text;
} wording[] = {
    {"{\n  /* never", false, "", "line 2, column 3: the comment that begins here never ends"},
    {"{'sources':[" SOURCE "],\n  }", false, "",
     "line 2, column 3: there must be no comma before a closing bracket"},
    {"{\n 'a': 1\n 'b': 2}", false, "",
     "line 3, column 2: a comma (or, behind a key, a colon) is missing before this"},
    {"{'é': x}", false, "", "line 1, column 7: not JSON here"},
    {"{'a': 'b", false, "",
     "line 1, column 9: the file ends too early; is a quote or a closing bracket missing?"},
    {"{'a': 'b\n'}", false, "",
     "line 1, column 9: text must end on its line; is a closing quote missing?"},
    {"", false, "", "line 1, column 1: the file is empty; it must contain an object in { }"},
    {"// nothing\n", false, "",
     "line 2, column 1: the file is empty; it must contain an object in { }"},
    {"\xEF"
     "\xBB"
     "\xBF"
     "{}",
     false, "", "line 1, column 1: save the file without a byte order mark"},
    {"{'a': '\xC0"
     "\xAF"
     "'}",
     false, "", "line 1, column 8: this is not UTF-8, or not inside of quotes"},
    {"[]", false, "", "must be an object in { }"},
    {"/", false, "", "line 1, column 1: not JSON here"},
    {WITH("'mqtt':{'version':'5',\n'version':'5'}"), false, "mqtt.version",
     "is given twice in the same object (again on line 2, column 1)"},
    {WITH_SOURCE("'qos':1,'q\\u006fs':1"), false, "sources[0].qos",
     "is given twice in the same object (again on line 1, column 99)"},
    {WITH("'mqtt\\u0000x':{}"), false, "\"mqtt\\u0000x\"", "a key must not contain \\u0000"},
    {WITH_SOURCE("'qoz':1"), false, "sources[0].qoz", "unknown key, did you mean qos?"},
    {WITH("'mqtt':{'sevrers':[]}"), false, "mqtt.sevrers",
     "unknown key, did you mean servers?"},
    {WITH("'max_body':'1MiB'"), false, "max_body",
     "unknown key here, did you mean ingress.max_body?"},
    {WITH("'outbox':{'colour':'red'}"), false, "outbox.colour",
     "unknown key; known here: path, max_size, keep_delivered, dedupe_window, dedupe_entries"},
    {WITH("'a b\\n':1"), false, "\"a b\\n\"",
     "unknown key; known here: ingress, admin, mqtt, outbox, sources"},
    {WITH("'ingress':{'tls':{}}"), false, "ingress.tls.cert_file",
     "is missing; it must be a file's path in quotes"},
    {WITH("'ingress':{'trusted_proxies':[]}"), false, "ingress.trusted_proxies",
     "unknown key; known here: listen, tls, max_body, max_connections, request_timeout, "
     "keep_alive, "
     "threads"},
    {WITH_SOURCE("'allow_from':[]"), false, "sources[0].allow_from",
     "unknown key; known here: name, provider, path, max_body, secrets, verify, topic, qos, "
     "retain, "
     "state_topic, message_expiry, path_suffix, events, dedupe, dedupe_window, mask, "
     "trust_unsigned, "
     "signature, fields, "
     "challenge, sample_defaults, samples, open_catalogue, title, public_url, api"},
    {WITH("'mqtt':{'keep_alive':30}"), false, "mqtt.keep_alive",
     "must be a time such as \"30s\", not a number"},
    {WITH("'outbox':{'max_size':1000000}"), false, "outbox.max_size",
     "must be a size such as \"64MiB\", not a number"},
    {WITH("'outbox':{'max_size':'10 apples'}"), false, "outbox.max_size",
     "must be a size such as \"64MiB\", not \"10 apples\""},
    {WITH("'mqtt':{'version':5}"), false, "mqtt.version",
     "must be \"5\" or \"3.1.1\", not a number"},
    {WITH("'mqtt':{'version':'4'}"), false, "mqtt.version",
     "\"4\" is not known, did you mean \"5\"?"},
    {WITH("'mqtt':{'max_in_flight':'9'}"), false, "mqtt.max_in_flight",
     "must be a whole number, not text"},
    {WITH("'mqtt':{'max_in_flight':9.5}"), false, "mqtt.max_in_flight",
     "must be a whole number, without point or exponent"},
    {WITH("'mqtt':{'client_id':null}"), false, "mqtt.client_id",
     "must be text in quotes, not null"},
    {WITH("'mqtt':[]"), false, "mqtt", "must be an object in { }, not a list"},
    {WITH("'ingress':{'listen':'127.0.0.1:80'}"), false, "ingress.listen",
     "must be a list such as [\"127.0.0.1:8080\"], not text: put [ ] around it"},
    {WITH("'mqtt':{'servers':[1]}"), false, "mqtt.servers[0]",
     "must be text in quotes, not a number"},
    {WITH_SOURCE("'retain':'yes'"), false, "sources[0].retain",
     "must be true or false, not text"},
    {"{'sources':{}}", false, "sources",
     "must be a list of sources such as [{\"name\": …}], not an object"},
    {WITH_SOURCE("'verify':'non'"), false, "sources[0].verify",
     "\"non\" is not known, did you mean \"none\"?"},
    {"{'sources':[{'name':'p','provider':'craeds','path':'/p'," SECRETS "}]}", false,
     "sources[0].provider", "\"craeds\" is not known, did you mean \"creads\"?"},
    {WITH("'ingress':{'max_body':'65MiB'}"), false, "ingress.max_body",
     "must be 1KiB to 64MiB"},
    {WITH("'ingress':{'max_connections':0}"), false, "ingress.max_connections",
     "must be 1 to 65536"},
    {WITH_SOURCE("'qos':3"), false, "sources[0].qos", "must be 0 to 2"},
    {WITH("'mqtt':{'keep_alive':'65536s'}"), false, "mqtt.keep_alive", "must be 1s to 65535s"},
    {WITH("'mqtt':{'keep_alive':'1500ms'}"), false, "mqtt.keep_alive", "must be whole seconds"},
    {WITH("'mqtt':{'servers':[]}"), false, "mqtt.servers", "must be 1 to 16 items"},
    {WITH("'mqtt':{'client_id':''}"), false, "mqtt.client_id", "must not be empty"},
    {WITH("'mqtt':{'client_id':'a\\u0000b'}"), false, "mqtt.client_id",
     "must not contain \\u0000"},
    {WITH("'mqtt':{'client_id':'a/b'}"), false, "mqtt.client_id",
     "must not contain +, # or /: it is one level of the bridge's own topics"},
    {WITH("'mqtt':{'bridge_topic':'a\\nb'}"), false, "mqtt.bridge_topic",
     "must not contain control characters"},
    {WITH("'mqtt':{'bridge_topic':'a/+'}"), false, "mqtt.bridge_topic",
     "must not contain the wildcards + and #"},
    {WITH("'mqtt':{'bridge_topic':'$SYS/x'}"), false, "mqtt.bridge_topic",
     "must not begin with $: such topics are the broker's"},
    {"{}", false, "sources",
     "is missing; it must be a list of sources such as [{\"name\": …}]"},
    {"{'sources':[]}", false, "sources", "there must be at least one source"},
    {"{'sources':[{}]}", false, "sources[0].name",
     "is missing; it must be a name such as \"partners\""},
    {"{'sources':[{}]}", false, "sources[0].provider",
     "is missing; it must be \"creads\" or \"custom\" or \"gitea\" or \"github\" or \"gitlab\" "
     "or \"ricloud\" or \"shopify\" or \"slack\" or \"standard-webhooks\" or \"stripe\" or "
     "\"weavy\""},
    {"{'sources':[{}]}", false, "sources[0].path",
     "is missing; it must be a path such as \"/webhooks/partners\""},
    {"{'sources':[{}]}", false, "sources[0].secrets",
     "is missing; it must be a list such as [{\"env\": \"NAME\"}], or \"verify\" must be "
     "\"none\""},
    {"{'ingress':{'listen':['nowhere'],'max_body':1,'tls':{}},'mqtt':{'version':'6','servers':["
     "'http://x','mqtt://ok','mqtt://u:p@x']},'sources':[{'name':'a "
     "b','provider':'x','path':'p','secrets':[{'env':'TEST_UNSET'}],'topic':'{nope}','qos':9},{"
     "'name':'n','provider':'creads','path':'/healthz','verify':'none'}]}",
     false, "ingress.listen[0]",
     "\"nowhere\" is not an address such as 127.0.0.1:8080, [::]:8080 or unix:/run/x.sock"},
    {"{'ingress':{'listen':['nowhere'],'max_body':1,'tls':{}},'mqtt':{'version':'6','servers':["
     "'http://x','mqtt://ok','mqtt://u:p@x']},'sources':[{'name':'a "
     "b','provider':'x','path':'p','secrets':[{'env':'TEST_UNSET'}],'topic':'{nope}','qos':9},{"
     "'name':'n','provider':'creads','path':'/healthz','verify':'none'}]}",
     false, "mqtt.version", "\"6\" is not known, did you mean \"5\"?"},
    {"{'ingress':{'listen':['nowhere'],'max_body':1,'tls':{}},'mqtt':{'version':'6','servers':["
     "'http://x','mqtt://ok','mqtt://u:p@x']},'sources':[{'name':'a "
     "b','provider':'x','path':'p','secrets':[{'env':'TEST_UNSET'}],'topic':'{nope}','qos':9},{"
     "'name':'n','provider':'creads','path':'/healthz','verify':'none'}]}",
     false, "mqtt.servers[0]", "must begin with mqtt://, mqtts://, ws:// or wss://"},
    {"{'ingress':{'listen':['nowhere'],'max_body':1,'tls':{}},'mqtt':{'version':'6','servers':["
     "'http://x','mqtt://ok','mqtt://u:p@x']},'sources':[{'name':'a "
     "b','provider':'x','path':'p','secrets':[{'env':'TEST_UNSET'}],'topic':'{nope}','qos':9},{"
     "'name':'n','provider':'creads','path':'/healthz','verify':'none'}]}",
     false, "mqtt.servers[2]",
     "must not contain a user or password; use mqtt.username and mqtt.password"},
    {"{'ingress':{'listen':['nowhere'],'max_body':1,'tls':{}},'mqtt':{'version':'6','servers':["
     "'http://x','mqtt://ok','mqtt://u:p@x']},'sources':[{'name':'a "
     "b','provider':'x','path':'p','secrets':[{'env':'TEST_UNSET'}],'topic':'{nope}','qos':9},{"
     "'name':'n','provider':'creads','path':'/healthz','verify':'none'}]}",
     false, "sources[0].name",
     "must begin with a letter or digit and contain only letters, digits and . _ -"},
    {"{'ingress':{'listen':['nowhere'],'max_body':1,'tls':{}},'mqtt':{'version':'6','servers':["
     "'http://x','mqtt://ok','mqtt://u:p@x']},'sources':[{'name':'a "
     "b','provider':'x','path':'p','secrets':[{'env':'TEST_UNSET'}],'topic':'{nope}','qos':9},{"
     "'name':'n','provider':'creads','path':'/healthz','verify':'none'}]}",
     false, "sources[0].provider",
     "\"x\" is not known; it must be \"creads\" or \"custom\" or \"gitea\" or \"github\" or "
     "\"gitlab\" or \"ricloud\" or \"shopify\" or \"slack\" or \"standard-webhooks\" or "
     "\"stripe\" or \"weavy\""},
    {"{'ingress':{'listen':['nowhere'],'max_body':1,'tls':{}},'mqtt':{'version':'6','servers':["
     "'http://x','mqtt://ok','mqtt://u:p@x']},'sources':[{'name':'a "
     "b','provider':'x','path':'p','secrets':[{'env':'TEST_UNSET'}],'topic':'{nope}','qos':9},{"
     "'name':'n','provider':'creads','path':'/healthz','verify':'none'}]}",
     false, "sources[0].path", "must begin with /"},
    {"{'ingress':{'listen':['nowhere'],'max_body':1,'tls':{}},'mqtt':{'version':'6','servers':["
     "'http://x','mqtt://ok','mqtt://u:p@x']},'sources':[{'name':'a "
     "b','provider':'x','path':'p','secrets':[{'env':'TEST_UNSET'}],'topic':'{nope}','qos':9},{"
     "'name':'n','provider':'creads','path':'/healthz','verify':'none'}]}",
     false, "sources[0].secrets[0].env", "the environment variable TEST_UNSET is not set"},
    {"{'ingress':{'listen':['nowhere'],'max_body':1,'tls':{}},'mqtt':{'version':'6','servers':["
     "'http://x','mqtt://ok','mqtt://u:p@x']},'sources':[{'name':'a "
     "b','provider':'x','path':'p','secrets':[{'env':'TEST_UNSET'}],'topic':'{nope}','qos':9},{"
     "'name':'n','provider':'creads','path':'/healthz','verify':'none'}]}",
     false, "sources[0].topic",
     "unknown variable {nope}; the variables are {source} {event} {action} {resource_type} "
     "{type} {gid} {id} and {body.<path>}"},
    {"{'ingress':{'listen':['nowhere'],'max_body':1,'tls':{}},'mqtt':{'version':'6','servers':["
     "'http://x','mqtt://ok','mqtt://u:p@x']},'sources':[{'name':'a "
     "b','provider':'x','path':'p','secrets':[{'env':'TEST_UNSET'}],'topic':'{nope}','qos':9},{"
     "'name':'n','provider':'creads','path':'/healthz','verify':'none'}]}",
     false, "sources[1].path", "/healthz is the bridge's own; choose another one"},
    {"{'ingress':{'listen':['nowhere'],'max_body':1,'tls':{}},'mqtt':{'version':'6','servers':["
     "'http://x','mqtt://ok','mqtt://u:p@x']},'sources':[{'name':'a "
     "b','provider':'x','path':'p','secrets':[{'env':'TEST_UNSET'}],'topic':'{nope}','qos':9},{"
     "'name':'n','provider':'creads','path':'/healthz','verify':'none'}]}",
     true, "sources[1].verify", "anybody who knows the path can post events"},
    {"{'ingress':{'listen':['nowhere'],'max_body':1,'tls':{}},'mqtt':{'version':'6','servers':["
     "'http://x','mqtt://ok','mqtt://u:p@x']},'sources':[{'name':'a "
     "b','provider':'x','path':'p','secrets':[{'env':'TEST_UNSET'}],'topic':'{nope}','qos':9},{"
     "'name':'n','provider':'creads','path':'/healthz','verify':'none'}]}",
     true, "sources[1].path",
     "can be guessed, and nothing else keeps strangers out; put a random segment in it, such "
     "as the output of `openssl rand -hex 16`"},
    {WITH("'ingress':{'listen':['']}"), false, "ingress.listen[0]",
     "\"\" is not an address such as 127.0.0.1:8080, [::]:8080 or unix:/run/x.sock"},
    {WITH("'mqtt':{'version':''}"), false, "mqtt.version",
     "\"\" is not known; it must be \"5\" or \"3.1.1\""},
    {WITH("'outbox':{'max_size':''}"), false, "outbox.max_size",
     "must be a size such as \"64MiB\", not \"\""},
    {WITH("'admin':{'token':{'env':''}}"), false, "admin.token.env",
     "an environment variable's name has letters, digits and _ only"},
    {WITH("'admin':{'token':{'file':''}}"), false, "admin.token.file",
     "cannot be read: open : No such file or directory"},
    {WITH("'mqtt':{'username':'${TEST_HOST'}"), false, "mqtt.username",
     "${ without a closing }; write $${ for a literal ${"},
    {WITH("'mqtt':{'username':'${TEST_BYTES}'}"), false, "mqtt.username", "must be UTF-8"},
    {"{'sources':[{" BASICS ",'secrets':[{'env':'TEST_EMPTY'}]}]}", false,
     "sources[0].secrets[0].env", "the environment variable TEST_EMPTY is empty"},
    {"{'sources':[{" BASICS ",'secrets':[{'file':'/nonexistent/x'}]}]}", false,
     "sources[0].secrets[0].file",
     "cannot be read: open /nonexistent/x: No such file or directory"},
    {"{'sources':[{" BASICS ",'secrets':[7]}]}", false, "sources[0].secrets[0]",
     "must be a secret such as {\"env\": \"NAME\"} or {\"file\": \"PATH\"}, not a number"},
    {"{'sources':[{" BASICS ",'secrets':[{'evn':'A'}]}]}", false, "sources[0].secrets[0].evn",
     "unknown key, did you mean env?"},
    {"{'sources':[{" BASICS ",'secrets':[{}]}]}", false, "sources[0].secrets[0]",
     "must contain either \"env\" or \"file\", and nothing else"},
    {"{'sources':[{" BASICS ",'secrets':['hush hush']}]}", true, "sources[0].secrets[0]",
     "stands in this file as text; {\"env\": \"NAME\"} or {\"file\": \"PATH\"} keeps it out of "
     "copies and backups"},
    {"{'sources':[" SOURCE ",{'name':'p','provider':'creads','path':'/q'," SECRETS "}]}", false,
     "sources[1].name", "is the same as sources[0].name; each source needs its own"},
    {"{'sources':[" SOURCE ",{'name':'q','provider':'creads','path':'/p'," SECRETS "}]}", false,
     "sources[1].path", "is the same as sources[0].path; each source needs its own"},
    {"{'sources':[{'name':'p','provider':'creads','path':'/p?x=1'," SECRETS "}]}", false,
     "sources[0].path", "must be a path alone, without a query (?…)"},
    {"{'sources':[{'name':'p','provider':'creads','path':'/p#x'," SECRETS "}]}", false,
     "sources[0].path", "must be a path alone, without a fragment (#…)"},
    {"{'sources':[{'name':'p','provider':'creads','path':'/p%20q'," SECRETS "}]}", false,
     "sources[0].path", "must be written decoded, without %"},
    {"{'sources':[{'name':'p','provider':'creads','path':'/p q'," SECRETS "}]}", false,
     "sources[0].path", "must contain only letters, digits and -._~!$&'()*+,;=:@/"},
    {"{'sources':[{'name':'p','provider':'creads','path':'/p//q'," SECRETS "}]}", false,
     "sources[0].path", "must not contain //"},
    {"{'sources':[{'name':'p','provider':'creads','path':'/p/'," SECRETS "}]}", false,
     "sources[0].path", "must not end with /"},
    {"{'sources':[{'name':'p','provider':'creads','path':'/./p'," SECRETS "}]}", false,
     "sources[0].path", "must not contain a segment . or .., which clients resolve"},
    {"{'sources':[{'name':'p','provider':'creads','path':'/readyz'," SECRETS "}]}", false,
     "sources[0].path", "/readyz is the bridge's own; choose another one"},
    {WITH_SOURCE("'topic':'a/{evnt}'"), false, "sources[0].topic",
     "unknown variable {evnt}; did you mean {event}?"},
    {WITH_SOURCE("'topic':'a/#'"), false, "sources[0].topic",
     "contains the wildcard #, which is only for subscriptions; remove it"},
    {WITH_SOURCE("'topic':'a/{gid'"), false, "sources[0].topic",
     "contains a { without its }; write {name}"},
    {WITH_SOURCE("'state_topic':'$SYS/{gid}'"), false, "sources[0].state_topic",
     "begins with $, which is reserved for the broker; begin with another character"},
    {WITH_SOURCE("'topic':'a/{gid}','state_topic':'a/{gid}'"), false, "sources[0].state_topic",
     "must differ from topic"},
    {WITH("'mqtt':{'servers':['tcp://b:1883']}"), false, "mqtt.servers[0]",
     "must begin with mqtt:// instead of tcp://"},
    {WITH("'mqtt':{'servers':['ssl://b:8883']}"), false, "mqtt.servers[0]",
     "must begin with mqtts:// instead of ssl://"},
    {WITH("'mqtt':{'servers':['mqtt://:1883']}"), false, "mqtt.servers[0]",
     "needs a host: a name, an IPv4 address or [ipv6]"},
    {WITH("'mqtt':{'servers':['mqtt://b:0']}"), false, "mqtt.servers[0]",
     "needs a port from 1 to 65535 behind the colon"},
    {WITH("'mqtt':{'servers':['mqtt://b:1883/x']}"), false, "mqtt.servers[0]",
     "must end behind the port"},
    {WITH("'mqtt':{'servers':['ws://b:80/x?y']}"), false, "mqtt.servers[0]",
     "must end behind the path"},
    {WITH("'ingress':{'listen':['127.0.0.1:9180']}"), false, "admin.listen[0]",
     "is the same address as ingress.listen[0]; each needs its own"},
    {WITH("'ingress':{'listen':['[::g]:1']}"), false, "ingress.listen[0]",
     "[::g] is not an IPv6 address"},
    {WITH("'admin':{'listen':['0.0.0.0:9180']}"), false, "admin.listen[0]",
     "other machines can reach this: it needs an admin.token"},
    {WITH_SOURCE("'qos':0"), true, "sources[0].qos",
     "with 0 the broker acknowledges nothing and events can be lost; 1 is at least once"},
    {WITH("'outbox':{'max_size':'100KiB'}"), true, "outbox.max_size",
     "is smaller than ingress.max_body: the largest webhooks never find room"},
    {"{'mqtt':{'version':'3.1.1'},'sources':[{" BASICS "," SECRETS ",'message_expiry':'1h'}]}",
     true, "sources[0].message_expiry", "is not used: MQTT 3.1.1 has no message expiry"},
    {WITH("'mqtt':{'version':'3.1.1','client_id':'a-b'}"), true, "mqtt.client_id",
     "MQTT 3.1.1 brokers may refuse it: they need to take only 1 to 23 letters and digits"},
    {WITH("'mqtt':{'version':'3.1.1','password':{'env':'TEST_SECRET'}}"), false,
     "mqtt.password", "needs mqtt.username with MQTT 3.1.1"},
    {WITH("'outbox':{'path':'/nonexistent/outbox.db'}"), false, "outbox.path",
     "cannot be written: /nonexistent: No such file or directory"},
    {OF("custom",
        "'signature':{'scheme':'hmac','algorithm':'sha256','form':'prefix','encoding':'hex','"
        "key':'text','header':'X-Hub-Signature-256','mark':'sha256=','message':'{body}'},'"
        "fields':{'event':'{header.X-GitHub-Event}.{body.action}|{header.X-GitHub-Event}','gid'"
        ":'{body.repository.full_name}|{body.organization.login}|{body.enterprise.slug}|{body."
        "installation.account.login}|{body.sender.login}|','delivery_id':'{header.X-GitHub-"
        "Delivery}'},'topic':'github/{gid}'"),
     true, "sources[0].fields.event",
     "is for a header or the URL to decide: who has one delivery can send it again with "
     "another one, as the signature does not cover it"},
    {OF("creads", "'dedupe':'id'"), false, "sources[0].dedupe",
     "is \"id\", which needs fields.delivery_id: where the provider's delivery id is"},
    {OF("creads", "'dedupe':'none'"), true, "sources[0].dedupe",
     "is \"none\": what the provider sends again is published again; fields.delivery_id, if it "
     "sends one, would tell repeats"},
    {OF("github", "'dedupe_window':'0s'"), true, "sources[0].dedupe_window",
     "is 0s, so nothing is a repeat: what the provider sends again is published again"},
    {OF("github", "'dedupe':'body'"), true, "sources[0].dedupe",
     "is \"body\", and the gid may be missing: of two events without one and with the same "
     "body "
     "the second one is swallowed"},
    {OF("creads", "'dedupe':'body','fields':{'gid':'|'}"), true, "sources[0].dedupe",
     "is \"body\", and there is no gid: of two events with the same body the second one is "
     "swallowed, whatever they are about"},
    {OF("custom",
        "'fields':{'event':'{body.type}','gid':'{body.id}'},'signature':{'header':'X-S'}"),
     false, "sources[0].signature.scheme",
     "is missing: \"hmac\" (a signature), \"token\" (the secret itself), or \"none\""},
    {OF("github", "'signature':{'message':'nothing'}"), false, "sources[0].signature.message",
     "must contain {body}: a signature that does not cover the body proves nothing"},
    {OF("github", "'signature':{'form':'pairs'}"), false, "sources[0].signature.mark",
     "is missing: the key of signatures, such as v1: printable ASCII without space, comma, "
     "semicolon and ="},
    {OF("github", "'signature':{'form':'pairs','mark':'a b'}"), false,
     "sources[0].signature.mark",
     "must be the key of signatures, such as v1: printable ASCII without space, comma, "
     "semicolon and ="},
    {OF("github", "'signature':{'timestamp_header':'X-T'}"), false,
     "sources[0].signature.timestamp_header",
     "has no effect, because the message contains no {timestamp}: a time that is not signed "
     "proves "
     "nothing"},
    {OF("github", "'signature':{'scheme':'token','algorithm':'sha1'}"), false,
     "sources[0].signature.algorithm",
     "belongs to scheme \"hmac\"; with scheme \"token\" the header's whole value is the "
     "secret, and nothing is signed"},
    {OF("stripe", "'signature':{'header':'X S'}"), false, "sources[0].signature.header",
     "must be a header's name, of letters, digits and signs such as - and _ (RFC 9110)"},
    {OF("stripe", "'signature':{'tolerance':'31d'}"), false, "sources[0].signature.tolerance",
     "must be 0ms to 30d"},
    {OF("stripe", "'signature':{'algorithm':'md5'}"), false, "sources[0].signature.algorithm",
     "\"md5\" is not known; it must be \"sha1\" or \"sha256\" or \"sha512\""},
    {OF("stripe", "'signature':{'hedaer':'X'}"), false, "sources[0].signature.hedaer",
     "unknown key, did you mean header?"},
    {OF("stripe", "'signature':'hmac'"), false, "sources[0].signature",
     "must be an object in { }, not text"},
    {OF("custom",
        "'fields':{'event':'{body.type}','gid':'{body.id}'},'signature':{'scheme':'hmac'}"),
     false, "sources[0].signature.header",
     "is missing: the header that contains the signature or token"},
    {OF("custom",
        "'fields':{'event':'{body.type}','gid':'{body.id}'},'signature':{'scheme':'hmac'}"),
     false, "sources[0].signature.algorithm",
     "is missing; it is one of \"sha1\" \"sha256\" \"sha512\""},
    {OF("custom",
        "'fields':{'event':'{body.type}','gid':'{body.id}'},'signature':{'scheme':'hmac'}"),
     false, "sources[0].signature.form",
     "is missing: \"plain\" (the signature alone), \"prefix\" (sha256=…), \"pairs\" (t=…,v1=…) "
     "or \"versions\" (v1,… v1,…)"},
    {OF("custom",
        "'fields':{'event':'{body.type}','gid':'{body.id}'},'signature':{'scheme':'hmac'}"),
     false, "sources[0].signature.encoding", "is missing: \"hex\" or \"base64\""},
    {OF("custom",
        "'fields':{'event':'{body.type}','gid':'{body.id}'},'signature':{'scheme':'hmac'}"),
     false, "sources[0].signature.key",
     "is missing: \"text\" (the secret as it is), \"base64\" (decoded) or \"whsec\" (what "
     "follows whsec_, decoded)"},
    {OF("custom",
        "'fields':{'event':'{body.type}','gid':'{body.id}'},'signature':{'scheme':'hmac'}"),
     false, "sources[0].signature.message",
     "is missing: what is signed, such as {body} or {timestamp}.{body}"},
    {OF("custom", "'fields':{'event':'{body.type}','gid':'{body.id}'},'signature':{'scheme':'"
                  "hmac','algorithm':'md5','form':'pears','mark':'v=1','timestamp_key':'t','"
                  "encoding':'hex','key':'text'}"),
     false, "sources[0].signature.form",
     "\"pears\" is not known; it must be \"plain\" or \"prefix\" or \"pairs\" or \"versions\""},
    {OF("custom",
        "'fields':{'event':'{body.type}','gid':'{body.id}'},'signature':{'sceme':'hmac'}"),
     false, "sources[0].signature.sceme", "unknown key, did you mean scheme?"},
    {OF("custom", "'fields':{'event':'{body.type}','gid':'{body.id}'},'signature':{'scheme':'"
                  "hmac','formm':'plain'}"),
     false, "sources[0].signature.formm", "unknown key, did you mean form?"},
    {OF("custom",
        "'fields':{'event':'{body.type}','gid':'{body.id}'},'signature':{'scheme':'hmca'}"),
     false, "sources[0].signature.scheme", "\"hmca\" is not known, did you mean \"hmac\"?"},
    {OF("github", "'signature':{'algorithm':'sha1','header':'X-Hub-Signature'}"), false,
     "sources[0].signature.mark",
     "is \"sha256=\", but algorithm is \"sha1\"; write \"sha1=\", or algorithm \"sha256\""},
    {OF("github", "'signature':{'separator':';'}"), false, "sources[0].signature.separator",
     "needs form \"pairs\": it stands between one key=value and the next"},
    {OF("stripe", "'signature':{'separator':', '}"), false, "sources[0].signature.separator",
     "\", \" is not known, did you mean \",\"?"},
    {OF("stripe", "'signature':{'separator':' and '}"), false, "sources[0].signature.separator",
     "\" and \" is not known; it must be \",\" or \";\""},
    {OF("stripe", "'signature':{'message':'{timestamp}{body}','tolerance':'0s'}"), false,
     "sources[0].signature.tolerance",
     "must not be 0s where the message has no character between {timestamp} and what is beside "
     "it; say how old a delivery may be, such as \"5m\""},
    {OF("github",
        "'signature':{'message':'{timestamp}.{body}','timestamp_header':'X-T','skew':'both'}"),
     false, "sources[0].signature.tolerance",
     "is missing: how old a delivery may be, such as \"5m\"; \"0s\": any age"},
    {OF("github", "'signature':{'message':'{timestamp}.{body}','timestamp_header':'X-T','"
                  "tolerance':'0s'}"),
     true, "sources[0].signature.tolerance",
     "lets deliveries of any age pass: who has one can send it again"},
    {"{'sources':[{'name':'p','provider':'standard-webhooks','path':'/"
     "p','secrets':['${TEST_WHSEC}','whsec_${TEST_HOST}!']}]}",
     false, "sources[0].secrets[1]",
     "is not base64 (letters, digits, + and /, padded with = to a multiple of four), as the "
     "keys of this provider are"},
    {"{'sources':[{'name':'p','provider':'weavy','path':'/p/2b7e151628aed2a6'}]}", false,
     "sources[0].verify",
     "must be \"none\": this provider signs nothing, so whoever knows the path can post "
     "events, and that must be explicit"},
    {OF("github", "'signature':{'scheme':'none'}"), false, "sources[0].verify",
     "must be \"none\": with this signature nothing is verified, so whoever knows the path can "
     "post events, and that must be explicit"},
    {OF("github", "'signature':{'scheme':'none'}"), true, "sources[0].secrets",
     "is not used, because nothing is signed"},
    {OF("custom", "'fields':{'event':'{body.type}','gid':'{body.id}'}"), false,
     "sources[0].signature",
     "is missing; it must describe how deliveries are signed, or \"verify\" must be \"none\""},
    {"{'sources':[{'name':'p','provider':'creads','path':'/p/"
     "2b7e151628aed2a6','verify':'none'," SECRETS ",'signature':{'header':'X'}}]}",
     true, "sources[0].secrets", "is not used, because \"verify\" is \"none\""},
    {OF("custom", "'signature':{'scheme':'hmac','algorithm':'sha256','form':'plain','encoding':"
                  "'hex','key':'text','header':'X-S','message':'{body}'}"),
     false, "sources[0].fields.event",
     "is missing; it must say where the event's name is, such as \"{body.type}\" or "
     "\"{header.X-Event}\""},
    {OF("custom", "'signature':{'scheme':'hmac','algorithm':'sha256','form':'plain','encoding':"
                  "'hex','key':'text','header':'X-S','message':'{body}'}"),
     false, "sources[0].fields.gid",
     "is missing; it must say where the id of the resource is, such as \"{body.data.id}\", "
     "\"{body.data.id}|\" if it may be missing, or \"|\" if there is none"},
    {OF("github", "'fields':{'event':'{boddy.x}'}"), false, "sources[0].fields.event",
     "unknown part {boddy.x}; did you mean {body.path.to.field}?"},
    {OF("github", "'fields':{'gid':'{body.x'}"), false, "sources[0].fields.gid",
     "contains a { without its }; write {body.type}"},
    {OF("github", "'fields':{'gid':'$.order.id'}"), false, "sources[0].fields.gid",
     "\"$.order.id\" without braces is constant text, the same in every delivery; write "
     "{body.order.id}"},
    {OF("github", "'fields':{'delivery_id':'id'}"), false, "sources[0].fields.delivery_id",
     "would be the same in different deliveries; write where it is, such as {body.id}"},
    {OF("github", "'topic':'a/{body.items[0].id}'"), false, "sources[0].topic",
     "the path items[0].id asks for an array element, but arrays cannot be looked into; write "
     "names with dots between them, such as data.id"},
    {OF("github", "'fields':{'id':'x'}"), false, "sources[0].fields.id",
     "unknown key, did you mean gid?"},
    {OF("github", "'challenge':{'field':'type','value':'ping'}"), false,
     "sources[0].challenge.echo",
     "is missing; a challenge needs a field, the value that identifies it, and the field to "
     "echo"},
    {OF("github", "'challenge':{'field':'a..b','value':'ping','echo':'x'}"), false,
     "sources[0].challenge.field",
     "the path a..b has a dot with no name beside it; write one dot between two names, such as "
     "data.id"},
    {OF("github", "'fields':{'event':'body.event','gid':'{body.x','delivery_id':'id','event_"
                  "time':'{boddy.x}','deletion_event':'*'},'challenge':{'field':'{x}','value':'"
                  "ping','echo':'x'}"),
     false, "sources[0].fields.event",
     "\"body.event\" without braces is constant text, the same in every delivery; write "
     "{body.event}"},
    {OF("github", "'fields':{'event':'body.event','gid':'{body.x','delivery_id':'id','event_"
                  "time':'{boddy.x}','deletion_event':'*'},'challenge':{'field':'{x}','value':'"
                  "ping','echo':'x'}"),
     false, "sources[0].fields.deletion_event",
     "names no event; write one, such as resource.deleted, or *.deleted for all events with "
     "that ending"},
    {OF("github", "'fields':{'event':'body.event','gid':'{body.x','delivery_id':'id','event_"
                  "time':'{boddy.x}','deletion_event':'*'},'challenge':{'field':'{x}','value':'"
                  "ping','echo':'x'}"),
     false, "sources[0].challenge.field",
     "must be a path in the body, without braces, such as data.id"},
    {OF("github", "'topic':'g/{event}/{gid}'"), true, "sources[0].topic",
     "contains {event}, which a header or the URL decides: who has one delivery can send it "
     "again "
     "to another topic, as the signature does not cover them"},
    {OF("github", "'state_topic':'g/{type}/{action}'"), true, "sources[0].state_topic",
     "contains {action}, {type}, which a header or the URL decides: who has one delivery can "
     "send "
     "it again to another topic, as the signature does not cover them"},
    {OF("custom", "'signature':{'scheme':'hmac','algorithm':'sha256','form':'plain','encoding':"
                  "'hex','key':'text','header':'X-S','message':'{body}'},'fields':{'event':'{"
                  "header.X-Event}','gid':'{body.id}'}"),
     false, "sources[0].topic",
     "is missing; {source}/{event}/{gid} contains {event}, which a header or the URL decides "
     "and "
     "the signature does not cover, so it is not used unless you write it"},
    {OF("github", "'fields':{'gid':'{header.X-Id}'}"), false, "sources[0].topic",
     "is missing; github/{gid} contains {gid}, which a header or the URL decides and the "
     "signature does not cover, so it is not used unless you write it"},
    {OF("github", "'trust_unsigned':true"), true, "sources[0].trust_unsigned",
     "who has one delivery can send it again as another event, or as a deletion"},
    {OF("stripe", "'trust_unsigned':true"), true, "sources[0].trust_unsigned",
     "is not used: all fields are as good as the body"},
    {OF("github", "'fields':{'event_time':'{header.X-Time}'}"), true,
     "sources[0].fields.event_time",
     "{header.X-Time} decides over no retained state, as the signature does not cover it; "
     "\"trust_unsigned\" lets it"},
    {"{'sources':[{'name':'p','provider':'weavy','path':'/p/"
     "2b7e151628aed2a6','verify':'none','events':{'a':'A','/a':'B'}}]}",
     false, "sources[0].events.\"/a\"",
     "is the same path as an earlier one; each event needs its own"},
    {"{'sources':[{'name':'p','provider':'weavy','path':'/p/"
     "2b7e151628aed2a6','verify':'none','events':{'a?b':'A'}}]}",
     false, "sources[0].events.\"a?b\"", "its key must be a path alone, without a query (?…)"},
    {"{'sources':[{'name':'p','provider':'weavy','path':'/p/"
     "2b7e151628aed2a6','verify':'none','events':{'':'A'}}]}",
     false, "sources[0].events.\"\"", "its key must not end with /"},
    {"{'sources':[{'name':'p','provider':'weavy','path':'/p/"
     "2b7e151628aed2a6','verify':'none','events':{}}]}",
     false, "sources[0].events", "must be 1 to 256 items"},
    {"{'sources':[{'name':'p','provider':'weavy','path':'/p/"
     "2b7e151628aed2a6','verify':'none','events':['a']}]}",
     false, "sources[0].events",
     "must be an object such as {\"new-customer\": \"NewCustomer\"}, not a list"},
    {"{'sources':[{'name':'p','provider':'weavy','path':'/p/"
     "2b7e151628aed2a6','verify':'none','events':{'a':'A'},'path_suffix':false}]}",
     false, "sources[0].path_suffix",
     "must not be false: events are told apart by what follows the path"},
    {"{'sources':[{'name':'p','provider':'weavy','path':'/p/"
     "2b7e151628aed2a6','verify':'none','path_suffix':false}]}",
     false, "sources[0].fields.event",
     "{url} is the part of the URL after the source's path, but this source has none; set "
     "\"path_suffix\": true, or \"events\""},
    {OF("stripe", "'events':{'a':'A'}"), true, "sources[0].events",
     "names no events: no field contains {url}, so these paths are taken, and no others, but "
     "what "
     "they are called is not"},
    {"{'sources':[" SOURCE ",{'name':'w','provider':'weavy','path':'/p/"
     "2b7e151628aed2a6','verify':'none','events':{'a':'A'}},{'name':'q','"
     "provider':'creads','path':'/p/2b7e151628aed2a6/a'," SECRETS "}]}",
     false, "sources[2].path", "is also the path of an event of sources[1]"},
    {OF("stripe", "'sample_defaults':null,'samples':[{}]"), false,
     "sources[0].samples[0].event", "is missing; it must be text in quotes"},
    {OF("stripe", "'sample_defaults':null,'samples':[{}]"), false, "sources[0].samples[0].body",
     "is missing; it must be an object in { }"},
    {OF("stripe", "'samples':[]"), false, "sources[0].samples",
     "there must be at least one sample"},
    {OF("stripe", "'samples':{}"), false, "sources[0].samples",
     "must be a list of samples such as [{\"event\": …, \"body\": {}}], not an object"},
    {OF("stripe", "'samples':[7]"), false, "sources[0].samples[0]",
     "must be an object in { }, not a number"},
    {OF("stripe", "'samples':[{'event':'order.paid','body':{},'gid_form':'fixed'}]"), false,
     "sources[0].samples[0].gid_form",
     "must contain # for a hex digit or ? for a decimal one, 1 to 32 of them"},
    {OF("stripe", "'samples':[{'event':'order.paid','body':{},'headers':{'X A':'b'}}]"), false,
     "sources[0].samples[0].headers.\"X A\"",
     "its key must be a header's name, of letters, digits and signs such as - and _ (RFC "
     "9110)"},
    {OF("stripe", "'samples':[{'event':'order.paid','body':{},'url':'x'}]"), false,
     "sources[0].samples[0].url", "needs path_suffix true: nothing is taken below the path"},
    {OF("stripe", "'samples':[{'event':'order.paid','body':{},'bdy':{}}]"), false,
     "sources[0].samples[0].bdy", "unknown key, did you mean body?"},
    {OF("ricloud", "'api':{'url':'http://api.example'}"), false, "sources[0].api.url",
     "must begin with https://: what logs in would travel in clear"},
    {OF("stripe", "'public_url':'ftp://x'"), false, "sources[0].public_url",
     "must begin with https:// or http://"},
    {OF("stripe", "'public_url':'https://x/y?z'"), false, "sources[0].public_url",
     "must end behind the path, without ?, # or blanks"},
    {OF("stripe", "'public_url':'https://me:hush@x/'"), false, "sources[0].public_url",
     "must not hold a user, a password or any other @"},
    {OF("stripe", "'api':{'token':{'env':'TEST_SECRET'}}"), true, "sources[0].api",
     "is not used: `hook2mqtt provider` does not know stripe"},
    {OF("gitlab", "'public_url':'http://bridge.example/p'"), true, "sources[0].public_url",
     "does not begin with https://: who reads a delivery on its way can send others"},
    {"{'outbox':{'path':'/tmp/o.db'},'sources':[{'name':'p','provider':'custom','path':'/p/"
     "2b7e151628aed2a6'," SECRETS
     ",'signature':{'scheme':'hmac','algorithm':'sha256','form':'plain','encoding':'hex','key':"
     "'text','header':'X-S','message':'{body}'},'fields':{'event':'{body.type}','gid':'{body."
     "id}','event_time':'{body.at}'},'samples':[{'event':'order.paid','body':{'type':'totally."
     "other','id':1}}]}]}",
     true, "sources[0].samples[0].event",
     "is \"order.paid\", but what the bridge finds in this sample is \"totally.other\""},
    {"{'outbox':{'path':'/tmp/o.db'},'sources':[{'name':'p','provider':'custom','path':'/p/"
     "2b7e151628aed2a6'," SECRETS
     ",'signature':{'scheme':'hmac','algorithm':'sha256','form':'plain','encoding':'hex','key':"
     "'text','header':'X-S','message':'{body}'},'fields':{'event':'{body.type}','gid':'{body."
     "id}','event_time':'{body.at}'},'samples':[{'event':'order.paid','resource_type':'Order','"
     "body':{'type':'@EVENT@','id':1}}]}]}",
     true, "sources[0].samples[0].resource_type",
     "is \"Order\", but what the bridge finds in this sample is \"order\""},
    {"{'outbox':{'path':'/tmp/o.db'},'sources':[{'name':'p','provider':'custom','path':'/p/"
     "2b7e151628aed2a6'," SECRETS
     ",'signature':{'scheme':'hmac','algorithm':'sha256','form':'plain','encoding':'hex','key':"
     "'text','header':'X-S','message':'{body}'},'fields':{'event':'{body.type}','gid':'{body."
     "id}','event_time':'{body.at}'},'samples':[{'event':'a.b','body':{'type':'@EVENT@','id':'"
     "1'}},{'event':'a.c','body':{'type':'@EVENT@'}}]}]}",
     true, "sources[0].samples[1]", "makes no event: id is missing"},
    {"{'outbox':{'path':'/tmp/o.db'},'sources':[{'name':'p','provider':'github','path':'/p/"
     "2b7e151628aed2a6'," SECRETS
     ",'sample_defaults':null,'samples':[{'event':'push','body':{}}]}]}",
     true, "sources[0].samples[0]", "makes no event: header X-GitHub-Event is missing"},
    {"{'outbox':{'path':'/tmp/o.db'},'sources':[{'name':'p','provider':'custom','path':'/p/"
     "2b7e151628aed2a6'," SECRETS
     ",'signature':{'scheme':'hmac','algorithm':'sha256','form':'plain','encoding':'hex','key':"
     "'text','header':'X-S','message':'{body}'},'fields':{'event':'{body.type}','gid':'{body."
     "id}','event_time':'{body.at}'},'samples':[{'event':'a','body':{'type':'a','id':1,'at':"
     "1410216451042}},{'event':'a','body':{'type':'a','id':1,'at':'8/9/2014'}}]}]}",
     true, "sources[0].samples[1]",
     "has a time at fields.event_time that cannot be read: it does not count"},
    {"{'outbox':{'path':'/tmp/o.db'},'sources':[{'name':'p','provider':'custom','path':'/p/"
     "2b7e151628aed2a6'," SECRETS
     ",'signature':{'scheme':'token','header':'X-T'},'path_suffix':true,'topic':'t/"
     "{gid}','fields':{'event':'{header.X-Event}','gid':'{url}'},'samples':[{'event':'a','url':"
     "'x','headers':{'X-Event':'a','x-event':'a'},'body':{}}]}]}",
     true, "sources[0].samples[0]", "makes no event: header X-Event appears twice"},
    {"{'outbox':{'path':'/tmp/o.db'},'sources':[{'name':'p','provider':'custom','path':'/p/"
     "2b7e151628aed2a6'," SECRETS
     ",'signature':{'scheme':'token','header':'X-T'},'path_suffix':true,'topic':'t/"
     "{gid}','fields':{'event':'{header.X-Event}','gid':'{url}'},'samples':[{'event':'a','url':"
     "'x%2Fy','headers':{'X-Event':'a'},'body':{}}]}]}",
     true, "sources[0].samples[0]",
     "makes no event: the end of the URL is not one segment of text"},
    {"{'outbox':{'path':'/tmp/o.db'},'sources':[{'name':'p','provider':'slack','path':'/p/"
     "2b7e151628aed2a6'," SECRETS
     ",'samples':[{'event':'a','headers':{'x-slack-signature':'v0=1'},'body':{'type':'a'}}]}]}",
     true, "sources[0].samples[0].headers",
     "contain one that the signature brings, too; remove it"},
    {"{'outbox':{'path':'/tmp/o.db'},'sources':[{'name':'p','provider':'weavy','path':'/p/"
     "2b7e151628aed2a6','verify':'none','fields':{'gid':'|'},'events':{'paid':'order.paid'},'"
     "samples':[{'event':'order.lost','body':{}}]}]}",
     true, "sources[0].samples[0]", "is sent to a URL that is not taken, and answered 404"},
    {OF("github", "'challenge':null"), false, "sources[0].challenge",
     "must be an object in { }, not null"},
    {OF("github", "'qos':null"), false, "sources[0].qos", "must be a whole number, not null"},
    /* What is wrong with files; see make_files. */
    {WITH_SOURCE("'api':{'token':{'file':'@DIR@/spaced'}}"), true, "sources[0].api.token",
     "begins or ends with white space, which counts as part of the secret"},
    {WITH_SOURCE("'api':{'token':{'file':'@DIR@/open'}}"), true, "sources[0].api.token.file",
     "every user of this machine can read @DIR@/open; chmod o-r helps"},
    {WITH_SOURCE("'api':{'token':{'file':'@DIR@/empty'}}"), true, "sources[0].api.token.file",
     "@DIR@/empty is empty"},
    {WITH_SOURCE("'api':{'token':{'file':'@DIR@/none'}}"), true, "sources[0].api.token.file",
     "cannot be read: open @DIR@/none: No such file or directory"},
    {"{'sources':[{'name':'p','provider':'ricloud','path':'/p','secrets':[{'file':'@DIR@/"
     "none'}]}]}",
     true, "sources[0].secrets[0]",
     "@DIR@/none does not exist yet; `hook2mqtt provider ricloud create` writes it"},
    {"{'sources':[{'name':'p','provider':'ricloud','path':'/p','secrets':[{'file':'@DIR@/"
     "empty'}]}]}",
     true, "sources[0].secrets[0]",
     "@DIR@/empty is empty; `hook2mqtt provider ricloud create` writes it"},
    {"{'sources':[{'name':'p','provider':'creads','path':'/"
     "p','api':{'issues_secret':true},'secrets':[{'file':'@DIR@/none'}]}]}",
     true, "sources[0].secrets[0]",
     "@DIR@/none does not exist yet; registering the bridge brings it"},
    {WITH("'mqtt':{'tls':{'ca_file':'@DIR@/none'}}"), false, "mqtt.tls.ca_file",
     "cannot be read: open @DIR@/none: No such file or directory"},
    {WITH("'mqtt':{'tls':{'ca_file':'@DIR@/open'}}"), false, "mqtt.tls.ca_file",
     "@DIR@/open is not a PEM file with a CERTIFICATE"},
    {WITH("'mqtt':{'tls':{'cert_file':'@DIR@/cert'}}"), false, "mqtt.tls.cert_file",
     "@DIR@/cert is not a PEM file with a PRIVATE KEY"},
    {WITH("'mqtt':{'tls':{'cert_file':'@DIR@/cert','key_file':'@DIR@/pkcs8'}}"), false,
     "mqtt.tls.key_file",
     "@DIR@/pkcs8 is encrypted, and nobody is there to be asked for its pass phrase; `openssl "
     "pkey` decrypts it"},
    {WITH("'mqtt':{'tls':{'cert_file':'@DIR@/both'}}"), false, "mqtt.tls.cert_file",
     "@DIR@/both is encrypted, and nobody is there to be asked for its pass phrase; `openssl "
     "pkey` decrypts it"},
    {WITH("'mqtt':{'tls':{'key_file':'@DIR@/open'}}"), false, "mqtt.tls.key_file",
     "needs mqtt.tls.cert_file, the certificate that belongs to it"},
    {WITH("'mqtt':{'tls':{'key_file':'@DIR@/open'}}"), true, "mqtt.tls.key_file",
     "every user of this machine can read @DIR@/open; chmod o-r helps"},
    {WITH("'mqtt':{'tls':{'ca_file':'@DIR@/open'}}"), true, "mqtt.tls",
     "is not used: no server begins with mqtts:// or wss://"},
    {WITH("'outbox':{'path':'@DIR@/open/o.db'}"), false, "outbox.path",
     "cannot be written: @DIR@/open: Not a directory"},
};

static const struct {
    const char *name, *text;
    mode_t mode;
} files[] = {{"open", "a secret", 0644},
             {"spaced", "a secret ", 0600},
             {"empty", "", 0600},
             {"cert", "-----BEGIN CERTIFICATE-----", 0600},
             {"pkcs8", "-----BEGIN ENCRYPTED PRIVATE KEY-----", 0600},
             {"both",
              "-----BEGIN CERTIFICATE-----\n-----BEGIN RSA PRIVATE KEY-----\nProc-Type: "
              "4,ENCRYPTED\n",
              0600}};

static void make_files(void)
{
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        char path[64];

        path_in_directory(path, sizeof(path), files[i].name);
        write_file(path, files[i].text, strlen(files[i].text));
        assert_int_equal(chmod(path, files[i].mode), 0);
    }
}

static void remove_files(void)
{
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        char path[64];

        path_in_directory(path, sizeof(path), files[i].name);
        assert_int_equal(unlink(path), 0);
    }
}

/* Gives text with the folder's name in it, for free. */
static char *in_directory(const char *text)
{
    struct buf out = {0};
    const char *mark;

    for (; (mark = strstr(text, "@DIR@")); text = mark + 5) {
        buf_add(&out, text, (size_t)(mark - text));
        buf_add_str(&out, directory);
    }
    buf_add_str(&out, text);
    return buf_take(&out);
}

static bool is_found(bool warning, const char *path, const char *text)
{
    for (size_t i = 0; i < faults.count; i++) {
        if (faults.items[i].warning == warning && strcmp(faults.items[i].path, path) == 0 &&
            strcmp(faults.items[i].text, text) == 0) {
            return true;
        }
    }
    return false;
}

static void each_finding_has_its_path_and_its_words(void **state)
{
    size_t missing = 0;
    enum status st;

    (void)state;
    make_files();
    for (size_t i = 0; i < COUNT_OF(wording); i++) {
        char *json = in_directory(wording[i].json), *text = in_directory(wording[i].text);

        write_config(json);
        st = config_check(config_path, &faults);
        assert_true(st == ST_OK || st == ST_INVALID);
        if (!is_found(wording[i].warning, wording[i].path, text)) {
            print_message("%s\nlacks %s: %s; it has\n", json, wording[i].path, text);
            print_findings();
            missing++;
        }
        free(json);
        free(text);
    }
    remove_files();
    assert_int_equal(missing, 0);
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    forget();
    assert_int_equal(config_check("/nonexistent/x.json", &faults), ST_NOT_FOUND);
    assert_true(is_found(false, "", "cannot be read: No such file or directory"));
    forget();
    assert_int_equal(config_check("/", &faults), ST_IO);
    assert_true(is_found(false, "", "cannot be read: read: Is a directory"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_finding_has_its_path_and_its_words),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
    };

    return cmocka_run_group_tests_name("config_wording", tests, set_up, tear_down);
}
