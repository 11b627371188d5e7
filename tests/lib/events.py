"""Bodies of webhooks as Creads Partners sends them, and the published list of what exists."""

import itertools
import json

CREATED, UPDATED, DELETED = "resource.created", "resource.updated", "resource.deleted"

# The published list of resources and events, and Comment from the first draft of that page.
CATALOGUE = {
    "invitation": {CREATED, UPDATED, DELETED},
    "organization": {UPDATED},
    "product": {UPDATED},
    "membership": {CREATED, UPDATED, DELETED},
    "project": {CREATED, UPDATED, DELETED},
    "project_message": {CREATED},
    "work": {CREATED},
    "webhook": {CREATED, UPDATED, DELETED},
    "comment": {CREATED},
}

GID = "559befeeab59f"
counter = itertools.count(10_000_000)  # always as many digits


def body(gid=GID, event=UPDATED, resource_type="project", modified_at=None, **resource):
    """A body unlike any made before (so that none is taken for a repeat), as bytes."""
    fields = {"event": event, "resource_type": resource_type, "resource_gid": gid}
    if event != DELETED:
        fields["resource"] = {"gid": gid, "n": next(counter), **resource}
        if modified_at:
            fields["resource"]["modified_at"] = modified_at
    return json.dumps(fields).encode()


def topic(gid=GID, event=UPDATED, resource_type="project", prefix="partners"):
    return f"{prefix}/{resource_type}/{event}/{gid}"
