/*
 * Divalto weavy. Nothing is signed, and the body does not name the event: each event has a URL of
 * its own, which nobody can guess. There is no delivery id and no time of the event.
 */
#include "bridge/provider/provider.h"

// clang-format off
/* NewOpportunity and NewCustomer are as documented, though the latter's end is cut off there. The
 * bodies of the others are not documented, and these are guesses: prospects, suspects and
 * subcontractors are customers of another kind to weavy, and a deal is what an opportunity is. */
static const char new_opportunity[] = PROVIDER_JSON({
    "codedeal":"@GID@","customerName":"A L'ATELIER DES ROCHES",
    "label":"Ma nouvelle opportunité @N@","type":"Appel d'offres","dealNumber":"",
    "status":"Active","creationDate":"2026-02-03 00:00:00",
    "url":"https://weavy.divalto.example/page/project/@GID@"});

static const char new_deal[] = PROVIDER_JSON({
    "codedeal":"@GID@","customerName":"A L'ATELIER DES ROCHES",
    "label":"Ma nouvelle affaire @N@","type":"Contrat","dealNumber":"AF00@N@",
    "status":"Active","creationDate":"2026-02-03 00:00:00",
    "url":"https://weavy.divalto.example/page/project/@GID@"});

static const char new_customer[] = PROVIDER_JSON({
    "codecustomer":"@GID@","name":"COLOMBIER JOAILLERIE @N@",
    "address1":"Rue des Acacias ","address2":"","address3":"","postalCode":"78000",
    "city":"VERSAILLES","phoneNumber":"0100000520","faxNumber":""});

static const char new_prospect[] = PROVIDER_JSON({
    "codecustomer":"@GID@","name":"MENUISERIE DU LAC @N@",
    "address1":"12 quai du Port","address2":"","address3":"","postalCode":"74000",
    "city":"ANNECY","phoneNumber":"0400000118","faxNumber":""});

static const char new_suspect[] = PROVIDER_JSON({
    "codecustomer":"@GID@","name":"GARAGE DE L'ÉTOILE @N@",
    "address1":"","address2":"","address3":"","postalCode":"67000","city":"STRASBOURG",
    "phoneNumber":"","faxNumber":""});

static const char new_subcontractor[] = PROVIDER_JSON({
    "codecustomer":"@GID@","name":"TRANSPORTS DES DUNES @N@",
    "address1":"ZI Nord","address2":"Bâtiment C","address3":"","postalCode":"59140",
    "city":"DUNKERQUE","phoneNumber":"0300000277","faxNumber":"0300000278"});

// clang-format on

static const struct provider_sample samples[] = {
    {"NewOpportunity", PROVIDER_EVENTS("NewOpportunity"), .resource = new_opportunity},
    {"NewDeal", PROVIDER_EVENTS("NewDeal"), .resource = new_deal},
    {"NewCustomer", PROVIDER_EVENTS("NewCustomer"), .resource = new_customer,
     .gid_form = "CLI?????"},
    {"NewProspect", PROVIDER_EVENTS("NewProspect"), .resource = new_prospect,
     .gid_form = "PRO?????"},
    {"NewSuspect", PROVIDER_EVENTS("NewSuspect"), .resource = new_suspect,
     .gid_form = "SUS?????"},
    {"NewSubcontractor", PROVIDER_EVENTS("NewSubcontractor"), .resource = new_subcontractor,
     .gid_form = "SST?????"},
    {0},
};

const struct provider provider_weavy = {
    .name = "weavy",
    .title = "Divalto weavy",
    .signature = {.scheme = SCHEME_NONE},
    .fields = {.event = "{url}", .gid = "{body.result.code*}"},
    .default_topic = "weavy/{event}/{gid}",
    .takes_suffix = true,
    .api_url = "https://api.weavy.divalto.com",
    .sample_body = "{\"result\":@RESOURCE@}",
    .sample_suffix = "@EVENT@",
    .time_zone = "",
    .gid_form = "20100000?????",
    .samples = samples,
};
