/*
 * Creads Partners. Bodies name the event, the resource and its gid; `resource` holds its new
 * state and is left out when it was deleted. A resource is shown as the REST API shows it:
 * fields without a value are null, nested resources are reduced to gid and href.
 *
 * Which literals `resource_type` has is not documented; the samples use the snake case of the
 * API's own files.
 */
#include "bridge/provider/provider.h"

static const char *const changes[] = {"resource.created", "resource.updated",
                                      "resource.deleted", NULL};
static const char *const created[] = {"resource.created", NULL};
static const char *const updated[] = {"resource.updated", NULL};

static const struct provider_sample samples[] = {
    {.resource_type = "invitation",
     changes,
     "{\"gid\":\"@GID@\",\"created_at\":\"2026-01-12T09:14:05+0000\",\"modified_at\":\"@NOW@\","
     "\"href\":\"/invitations/@GID@\",\"token\":\"5b1d7a0c93e24f86a1bb0e7fd2c49385617ea0d\","
     "\"has_user\":false,\"email\":\"claire.martin+@N@@agence-lumiere.example\"}"},

    {.resource_type = "organization",
     updated,
     "{\"gid\":\"@GID@\",\"created_at\":\"2025-09-11T10:22:46+0000\",\"modified_at\":\"@NOW@\","
     "\"href\":\"/organizations/@GID@\",\"name\":\"Agence Lumi\\u00e8re "
     "@N@\",\"hostname\":null,"
     "\"vat\":null,\"logo\":{\"url\":\"https://cdn.partners.example/logos/@GID@.png\","
     "\"variations\":{\"icon\":{\"url\":\"https://cdn.partners.example/logos/@GID@-icon.png\"},"
     "\"thumb\":{\"url\":\"https://cdn.partners.example/logos/@GID@-thumb.png\"}}},"
     "\"billing_contact\":{\"phone\":\"+33 1 23 45 67 89\","
     "\"email\":\"comptabilite@agence-lumiere.example\"},"
     "\"billing_address\":{\"division\":null,\"address1\":\"18 rue de la Paix\","
     "\"address2\":null,\"zipcode\":\"75002\",\"city\":\"Paris\",\"state\":null,"
     "\"country\":\"FR\",\"additional\":null,\"country_name\":\"France\"}}"},

    {.resource_type = "product",
     updated,
     "{\"gid\":\"@GID@\",\"created_at\":\"2025-07-15T15:59:54+0000\",\"modified_at\":\"@NOW@\","
     "\"href\":\"/products/@GID@\",\"category\":{\"gid\":\"55a6842a6f1c2\","
     "\"href\":\"/categories/55a6842a6f1c2\",\"title\":\"Brand identity\"},"
     "\"title\":\"Logo @N@\",\"synonyms\":[\"emblem\",\"wordmark\"],"
     "\"available_options\":{"
     "\"due\":{\"type\":\"integer\",\"default\":5,\"required\":true,\"enum\":[1,2,5,10]},"
     "\"mode\":{\"type\":\"string\",\"default\":\"solo\",\"required\":true,"
     "\"enum\":[\"solo\",\"multi\"]},"
     "\"skill\":{\"type\":\"string\",\"default\":\"conception\",\"required\":true,"
     "\"enum\":[\"conception\",\"execution\"]}},"
     "\"additional_meta\":{"
     "\"solo_mode_meta\":{\"description\":\"One designer\",\"brief_template\":\"Your brand:\"},"
     "\"multi_mode_meta\":{\"description\":\"Several designers\","
     "\"brief_template\":\"Your brand:\"}},"
     "\"is_enabled\":true,\"is_cumulative\":false,\"interface\":\"default\","
     "\"organizations\":[{\"gid\":\"55f2ab761d0bd\",\"href\":\"/organizations/55f2ab761d0bd\","
     "\"name\":\"Agence Lumi\\u00e8re\",\"hostname\":null}]}"},

    /* Its documented form has no dates. */
    {.resource_type = "membership",
     changes,
     "{\"gid\":\"@GID@\",\"organization\":{\"gid\":\"55f2ab761d0bd\","
     "\"name\":\"Agence Lumi\\u00e8re\",\"href\":\"/organization/55f2ab761d0bd\"},"
     "\"monthly_budget\":{\"amount\":2000,\"currency\":\"EUR\"},"
     "\"monthly_spent\":{\"amount\":@N@,\"currency\":\"EUR\"},\"is_manager\":false}"},

    {.resource_type = "project",
     changes,
     "{\"gid\":\"@GID@\",\"short_code\":\"Zd85moz\",\"created_at\":\"2026-02-03T08:30:00+"
     "0000\","
     "\"modified_at\":\"@NOW@\",\"href\":\"/projects/@GID@\","
     "\"published_at\":\"2026-02-03T09:00:00+0000\",\"started_at\":\"2026-02-04T07:45:12+"
     "0000\","
     "\"finished_at\":null,\"canceled_at\":null,\"deadline_at\":\"2026-03-02T17:00:00+0000\","
     "\"status\":\"in_progress\",\"state\":\"published\","
     "\"title\":\"Logo for the spring campaign, version @N@\","
     "\"description\":\"<p>A fresh mark for our range of teas.<br>Two colours at most.</p>\","
     "\"options\":{\"due\":1,\"mode\":\"solo\",\"skill\":\"conception\"},\"quantity\":1,"
     "\"owner\":{\"gid\":\"559bee4f2a6d1\",\"href\":\"/users/559bee4f2a6d1\"},"
     "\"organization\":{\"gid\":\"55f2ab761d0bd\",\"href\":\"/organizations/55f2ab761d0bd\","
     "\"name\":\"Agence Lumi\\u00e8re\",\"hostname\":null},"
     "\"product\":{\"gid\":\"55a6842ac3f6b\",\"href\":\"/products/55a6842ac3f6b\"},"
     "\"brief_files\":[{\"url\":\"https://cdn.partners.example/briefs/@GID@.pdf\"}],"
     "\"source_files\":[{\"url\":\"https://cdn.partners.example/sources/@GID@.zip\"}],"
     "\"receipt_file\":null,\"price\":{\"amount\":1470,\"currency\":\"EUR\"},"
     "\"vat\":{\"amount\":0,\"ratio\":0,\"currency\":\"EUR\"},\"winner\":null}"},

    {.resource_type = "project_message",
     created,
     "{\"gid\":\"@GID@\",\"href\":\"/project-message/@GID@\",\"created_at\":\"@NOW@\","
     "\"modified_at\":\"@NOW@\",\"accepted_at\":null,\"rejected_at\":null,"
     "\"message\":\"Here is proposal @N@: \\\"lighter\\\", as you asked.\\nBest regards\","
     "\"project\":{\"gid\":\"55c0d927cad5c\"},\"mine\":false,"
     "\"worker\":{\"gid\":\"559befd0b11c7\"},\"user\":null,\"type\":\"delivery\","
     "\"attached_files\":[{\"url\":\"https://cdn.partners.example/messages/@GID@.png\"}]}"},

    {.resource_type = "work",
     created,
     "{\"gid\":\"@GID@\",\"created_at\":\"@NOW@\",\"won_at\":null,"
     "\"description\":\"Proposal @N@: hand-drawn leaf\","
     "\"image\":\"https://cdn.partners.example/works/@GID@.jpg\","
     "\"content\":\"Vector file, two colours\",\"worker\":{\"gid\":\"559befd0b11c7\"},"
     "\"project\":{\"gid\":\"55c0d927cad5c\",\"title\":\"Logo for the spring campaign\"}}"},

    /* A guess: the provider publishes no field list for it. Kept to what its other resources
     * have in common, and the URL, without which it would not be a webhook. */
    {.resource_type = "webhook",
     changes,
     "{\"gid\":\"@GID@\",\"created_at\":\"2026-01-12T09:14:05+0000\",\"modified_at\":\"@NOW@\","
     "\"href\":\"/webhooks/@GID@\",\"url\":\"https://bridge.example/webhooks/"
     "partners?n=@N@\"}"},

    /* Not in the published list, but in an earlier one; the resource exists. */
    {.resource_type = "comment",
     created,
     "{\"gid\":\"@GID@\",\"created_at\":\"@NOW@\",\"modified_at\":\"@NOW@\","
     "\"author\":{\"gid\":\"559bee4f2a6d1\"},\"worker\":null,"
     "\"message\":\"I like the leaf of number @N@.\",\"mine\":true,"
     "\"uri\":\"/works/559bef4a9b600\",\"nickname\":\"clairem\"}"},

    {0},
};

const struct provider provider_creads = {
    .name = "creads",
    .title = "Creads Partners",
    .signature = {.scheme = SCHEME_HMAC,
                  .algorithm = ALGORITHM_SHA256,
                  .form = FORM_PLAIN,
                  .encoding = ENCODING_HEX,
                  .key = KEY_TEXT,
                  .header = "X-Partners-Signature",
                  .message = "{body}"},
    .fields = {.event = "{body.event}",
               .resource_type = "{body.resource_type}",
               .gid = "{body.resource_gid}",
               .event_time = "{body.resource.modified_at}|{body.resource.created_at}",
               .deletion_event = "resource.deleted"},
    .default_topic = "partners/{resource_type}/{event}/{gid}",
    .sample_body =
        "{\"event\":\"@EVENT@\",\"resource_type\":\"@TYPE@\",\"resource_gid\":\"@GID@\","
        "\"resource\":@RESOURCE@}",
    .sample_deletion =
        "{\"event\":\"@EVENT@\",\"resource_type\":\"@TYPE@\",\"resource_gid\":\"@GID@\"}",
    .time_zone = "+0000",
    .gid_form = "#############",
    .samples = samples,
};
