/*
 * The inventory: which objects a Kustomization has applied, as `status.inventory` keeps it.
 * An entry is the text `<namespace>_<name>_<group>_<kind>` and the API version apart from it,
 * so that a changed version is the same object. Owned by one thread at a time.
 *
 * Source: the Kustomization API, `status.inventory.entries[]`.
 */
#ifndef KUSTOMIZE_CONTROLLER_INVENTORY_H
#define KUSTOMIZE_CONTROLLER_INVENTORY_H

#include "manifest.h"

/* Entries of one Kustomization: the status must stay within what etcd takes. */
#define FX_INVENTORY_MAX 20000

struct fx_entry {
	char *id;      /* owned */
	char *version; /* points into id's allocation, behind its NUL */
};

struct fx_inventory {
	struct fx_entry *items;
	size_t len, cap;
};

void fx_inventory_release(struct fx_inventory *inventory);
static inline void fx_auto_inventory(struct fx_inventory *inventory)
{
	fx_inventory_release(inventory);
}

/* Appends the id of an object. */
void fx_entry_id(const struct fx_ref *ref, struct fx_buf *out);

/* Appends an entry (texts are copied). False without memory or above FX_INVENTORY_MAX. */
bool fx_inventory_add(struct fx_inventory *inventory, const char *id, const char *version) fx_must_use;
bool fx_inventory_add_ref(struct fx_inventory *inventory, const struct fx_ref *ref) fx_must_use;

/* Reads `status.inventory`; entries without id are left out. inventory may be NULL (none). */
int fx_inventory_read(const json_t *inventory, struct fx_inventory *out, struct fx_error *err) fx_must_use;

/* New reference `{"entries": [...]}`; NULL without memory. */
json_t *fx_inventory_to_json(const struct fx_inventory *inventory);

/* The entries of old whose id is not in now, in old's order. */
int fx_inventory_diff(const struct fx_inventory *old, const struct fx_inventory *now,
        struct fx_inventory *out, struct fx_error *err) fx_must_use;

/* An entry taken apart: ref borrows from text, which the caller frees. */
struct fx_entry_parts {
	struct fx_ref ref;
	char *text;
};

/* FX_E_PARSE for an id that is none. */
int fx_entry_parse(
        const struct fx_entry *entry, struct fx_entry_parts *out, struct fx_error *err) fx_must_use;
static inline void fx_auto_entry_parts(struct fx_entry_parts *parts)
{
	free(parts->text);
}

#endif
