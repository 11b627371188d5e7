/*
 * Shopify. The body is the resource alone; the event, the shop and the delivery's id are in headers
 * that the signature does not cover. What is deleted is reduced to its id.
 *
 * Two events of one resource may have the same bytes (an order that is created and paid at once):
 * only the id in the header, which a source must say that it trusts, tells them from a repeat.
 */
#include "bridge/provider/provider.h"

// clang-format off
static const char order[] = PROVIDER_JSON({
    "id":@GID_VALUE@,"admin_graphql_api_id":"gid://shopify/Order/@GID@",
    "app_id":1354745,"cancelled_at":null,"confirmed":true,
    "contact_email":"robin@acme-tools.example","created_at":"2026-02-03T08:30:00+00:00",
    "currency":"EUR","current_total_price":"38.50","customer_locale":"en",
    "email":"robin@acme-tools.example","financial_status":"paid","fulfillment_status":null,
    "name":"#@N@","note":null,"order_number":@N@,"processed_at":"2026-02-03T08:30:00+00:00",
    "source_name":"web","subtotal_price":"34.00","tags":"","taxes_included":true,
    "test":true,"total_discounts":"0.00","total_price":"38.50","total_tax":"2.01",
    "updated_at":"@NOW@",
    "customer":{"id":7341209551934,"email":"robin@acme-tools.example",
        "first_name":"Robin","last_name":"Example","state":"enabled","currency":"EUR"},
    "line_items":[{"id":14710023381182,"product_id":8127734509758,"variant_id":44205519896766,
        "name":"Darjeeling, 100 g","sku":"TEA-DJ-100","quantity":2,"price":"17.00",
        "requires_shipping":true,"taxable":true,"grams":100}],
    "shipping_address":{"city":"Lyon","country_code":"FR","zip":"69002"},
    "shipping_lines":[{"id":4410087276734,"title":"Standard","price":"4.50"}]});

static const char product[] = PROVIDER_JSON({
    "id":@GID_VALUE@,"admin_graphql_api_id":"gid://shopify/Product/@GID@",
    "title":"Darjeeling, first flush @N@","body_html":"<p>From high gardens.</p>",
    "vendor":"Acme Tea","product_type":"Tea","handle":"darjeeling-first-flush",
    "status":"active","tags":"black, loose","created_at":"2026-02-03T08:30:00+00:00",
    "updated_at":"@NOW@","published_at":"2026-02-03T09:00:00+00:00","template_suffix":null,
    "published_scope":"web",
    "variants":[{"id":44205519896766,"title":"100 g","price":"17.00","sku":"TEA-DJ-100",
        "position":1,"inventory_quantity":75,"inventory_item_id":46301558341822,"grams":100}],
    "options":[{"id":10393518375102,"name":"Weight","position":1,"values":["100 g"]}],
    "images":[]});

static const char customer[] = PROVIDER_JSON({
    "id":@GID_VALUE@,"admin_graphql_api_id":"gid://shopify/Customer/@GID@",
    "email":"robin+@N@@acme-tools.example","first_name":"Robin","last_name":"Example",
    "state":"enabled","verified_email":true,"tax_exempt":false,"currency":"EUR",
    "note":null,"phone":null,"addresses":[],"tags":"","orders_count":3,
    "total_spent":"112.40","created_at":"2026-02-03T08:30:00+00:00","updated_at":"@NOW@"});

/* What is deleted; two deletions of one thing are the same bytes. */
static const char gone[] = PROVIDER_JSON({"id":@GID_VALUE@});

static const char inventory_level[] = PROVIDER_JSON({
    "inventory_item_id":@GID_VALUE@,"location_id":70310166718,"available":@N@,
    "updated_at":"@NOW@","admin_graphql_api_id":
        "gid://shopify/InventoryLevel/70310166718?inventory_item_id=@GID@"});

static const char shop[] = PROVIDER_JSON({
    "id":@GID_VALUE@,"name":"Acme Tea","email":"owner@acme-tea.example",
    "domain":"shop.acme-tea.example","myshopify_domain":"acme-tea.myshop.example",
    "country":"FR","province":null,"city":"Lyon","zip":"69002","currency":"EUR",
    "iana_timezone":"Europe/Paris","plan_name":"basic","primary_locale":"en",
    "created_at":"2025-01-09T11:02:45+00:00","updated_at":"@NOW@","number":@N@});

/* A request that every app has to answer: forget this shop. */
static const char redact[] = PROVIDER_JSON({
    "shop_id":@GID_VALUE@,"shop_domain":"acme-tea-@N@.myshop.example"});

// clang-format on

static const struct provider_sample samples[] = {
    {"orders/create", PROVIDER_EVENTS("orders/create"), .body = order},
    {"orders/updated", PROVIDER_EVENTS("orders/updated"), .body = order},
    {"orders/paid", PROVIDER_EVENTS("orders/paid"), .body = order},
    {"orders/cancelled", PROVIDER_EVENTS("orders/cancelled"), .body = order},
    {"orders/delete", PROVIDER_EVENTS("orders/delete"), .body = gone},
    {"products/create", PROVIDER_EVENTS("products/create"), .body = product},
    {"products/update", PROVIDER_EVENTS("products/update"), .body = product},
    {"products/delete", PROVIDER_EVENTS("products/delete"), .body = gone},
    {"customers/create", PROVIDER_EVENTS("customers/create"), .body = customer},
    {"customers/update", PROVIDER_EVENTS("customers/update"), .body = customer},
    {"customers/delete", PROVIDER_EVENTS("customers/delete"), .body = gone},
    {"inventory_levels/update", PROVIDER_EVENTS("inventory_levels/update"),
     .body = inventory_level},
    {"app/uninstalled", PROVIDER_EVENTS("app/uninstalled"), .body = shop},
    {"shop/update", PROVIDER_EVENTS("shop/update"), .body = shop},
    {"shop/redact", PROVIDER_EVENTS("shop/redact"), .body = redact},
    {0},
};

const struct provider provider_shopify = {
    .name = "shopify",
    .title = "Shopify",
    .signature = {.scheme = SCHEME_HMAC,
                  .algorithm = ALGORITHM_SHA256,
                  .form = FORM_PLAIN,
                  .encoding = ENCODING_BASE64,
                  .key = KEY_TEXT,
                  .header = "X-Shopify-Hmac-SHA256",
                  .message = "{body}"},
    /* Inventory levels have no id of their own; requests about personal data name the shop. */
    .fields = {.event = "{header.X-Shopify-Topic}",
               .gid = "{body.id}|{body.inventory_item_id}|{body.shop_id}|",
               .delivery_id = "{header.X-Shopify-Webhook-Id}",
               .event_time = "{body.updated_at}|{body.created_at}",
               .deletion_event = "*/delete"},
    .default_topic = "shopify/{gid}",
    .sample_headers = "X-Shopify-Topic: @EVENT@\nX-Shopify-Webhook-Id: @UUID@\n"
                      "X-Shopify-Shop-Domain: acme-tea.myshop.example\n"
                      "X-Shopify-API-Version: 2026-01",
    .time_zone = "+00:00",
    .gid_form = "5821?????????",
    .samples = samples,
    .open_catalogue = true,
};
